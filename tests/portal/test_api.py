"""The typed API: what the sky holds comes out whole, in order, page by page, and nothing else does."""

import numpy as np
import pytest
from tests.portal.portals import HOSTILE, client_of

from telperion.serve.sky import Sky, Wanted


def everything(client, **query):
    found, after = [], None
    while True:
        page = client.get("/api/v1/objects", params=query | {"limit": 7} | ({"after": after} if after else {})).json()
        found += page["objects"]
        after = page["next"]
        if after is None:
            return found, page["count"]


def test_pages_give_every_object_once(client, sky_folder):
    found, count = everything(client)
    names = [each["object_id"] for each in found]
    assert len(names) == len(set(names)) == count == Sky(sky_folder).count(Wanted())
    assert set(HOSTILE) < set(names)
    assert (np.diff([each["score"] for each in found]) <= 0).all()


def test_children_sum_to_their_parent(client):
    nodes = client.get("/api/v1/about").json()["nodes"]
    for each in everything(client)[0]:
        for node in nodes:
            below = [each["probabilities"][n["name"]] for n in nodes if n["parent"] == node["name"]]
            if below:
                assert sum(below) == pytest.approx(each["probabilities"][node["name"]], abs=1e-4)


def test_a_filter_keeps_what_it_says(client):
    found, _ = everything(client, node="SN", least=0.5, most_days=100, least_rows=5)
    assert found
    assert all(each["probabilities"]["SN"] >= 0.5 and each["days"] <= 100 and each["n_rows"] >= 5 for each in found)
    found, _ = everything(client, text="OBJ-00")
    assert all("obj-00" in each["object_id"] for each in found)
    assert len(found) == 10


@pytest.mark.parametrize("name", HOSTILE)
def test_an_object_with_any_name_is_found_by_it(client, name):
    found = client.get("/api/v1/object", params={"id": name}).json()
    assert found["object_id"] == name
    assert len(found["answers"]) >= 1
    curve = found["light_curve"]
    assert len({len(curve[column]) for column in curve}) == 1
    assert curve["time"] == sorted(curve["time"])


@pytest.mark.parametrize(
    "query",
    [
        "node=Nothing",
        "least=2",
        "sort=best",
        "limit=0",
        "limit=100000",
        "after=nonsense",
        "most_days=nan",
        "text=" + "x" * 200,
    ],
)
def test_what_cannot_be_asked_is_refused_with_a_reason(client, query):
    answer = client.get(f"/api/v1/objects?{query}")
    assert answer.status_code in (400, 422)
    assert answer.json()["detail"]


def test_what_is_not_there_is_not_found(client):
    assert client.get("/api/v1/object", params={"id": "no such"}).status_code == 404
    assert client.get("/api/v1/nothing").json()["detail"]


def test_changes_tell_what_was_answered(client):
    version = client.get("/api/v1/about").json()["version"]
    assert client.get("/api/v1/changes", params={"since": version}).json() == {"version": version, "object_ids": []}
    assert len(client.get("/api/v1/changes", params={"since": 0, "limit": 5}).json()["object_ids"]) == 5


def test_light_curves_of_ones_own_are_answered_as_the_classifier_answers_them(client, model):
    rows = client.get("/api/v1/object", params={"id": "obj-003"}).json()["light_curve"]
    lines = ["time,band,flux,flux_err,detected"]
    lines += [",".join(map(str, row)) for row in zip(*rows.values(), strict=True)]
    (found,) = client.post("/api/v1/classify", content="\n".join(lines)).json()["objects"]
    from telperion.bands import band_index
    from telperion.lightcurves import LightCurves

    curve = LightCurves.from_rows(
        ["a"] * len(rows["time"]), rows["time"], band_index(rows["band"]), rows["flux"], rows["flux_err"],
        rows["detected"], dereddened=True,
    )  # fmt: skip
    said = model.classifier.predict(curve)[0]
    last = found["answers"][-1]["probabilities"]
    assert [last[node] for node in model.classifier.tree.nodes] == pytest.approx(said.tolist(), abs=1e-4)


def test_faults_of_an_upload_are_told_at_their_lines(client):
    answer = client.post("/api/v1/classify", content="time,band,flux,flux_err\n61000,g,1,1\n61001,q,x,1\n")
    assert answer.status_code == 422
    problem = answer.json()
    assert problem["count"] == 2
    assert {(fault["line"], fault["column"]) for fault in problem["faults"]} == {(3, "band"), (3, "flux")}


def test_without_a_sky_uploads_are_answered_all_the_same(model):
    with client_of(None, model) as client:
        about = client.get("/api/v1/about").json()
        assert not about["sky"]
        assert len(about["nodes"]) == 26
        assert client.get("/api/v1/objects").status_code == 404
        assert client.get("/").status_code == 200
        assert client.post("/api/v1/classify", content="time,band,flux,flux_err\n61000,g,100,5\n").status_code == 200


def test_what_an_object_looks_like_comes_nearest_first(client):
    name = everything(client)[0][0]["object_id"]
    found = client.get("/api/v1/similar", params={"id": name}).json()
    for what in ("classes", "objects"):
        far = [each["distance"] for each in found[what]]
        assert far
        assert far == sorted(far)
    assert 0 <= found["strangeness"] <= 1
    for each in found["objects"]:
        assert len({len(column) for column in each["light_curve"].values()}) == 1
    assert client.get("/api/v1/similar", params={"id": "nobody"}).status_code == 404
