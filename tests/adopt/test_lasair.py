"""Annotations, made of objects as Lasair gives them and sent by its own client."""

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import numpy as np
import pytest
from numpy.testing import assert_allclose

from telperion.adopt.lasair import annotate, histories


@pytest.fixture
def objects(held):
    """Objects with ids beyond what floats hold, one without forced photometry, one without what Lasair adds."""
    made = [
        {
            "diaObjectId": int(name),
            "diaObject": {
                "diaObjectId": int(name),
                "ra": 150.1,
                "decl": -20.0 + k,
                "nDiaSources": len(sources) + k % 2,
            },
            "diaSourcesList": sources,
            "diaForcedSourcesList": forced,
            "lasairData": {"ebv": 0.01 * k, "sherlock": {"classification": "SN"}},
        }
        for k, (name, sources, forced) in enumerate(zip(*held, strict=True))
    ]
    made[3]["diaForcedSourcesList"] = None
    del made[4]["lasairData"]
    return made


def test_annotations_are_what_the_classifier_says(objects, sky, elasticc):
    said = annotate(objects, topic="telperion", url="https://example.org/{objectId}")
    curves = histories(objects).alerts.light_curves()
    probabilities = elasticc.predict(curves)
    assert np.isnan(curves.context["mwebv"]).tolist() == [k == 4 for k in range(len(sky))]
    for k, (annotation, item) in enumerate(zip(said, objects, strict=True)):
        assert annotation["objectId"] == str(item["diaObjectId"])
        assert annotation["url"].endswith(annotation["objectId"])
        assert (annotation["topic"], annotation["version"]) == ("telperion", elasticc.fingerprint)
        assert len(annotation["version"]) <= 16  # more is refused by the client
        assert annotation["classification"] in elasticc.tree.nodes
        assert_allclose(list(annotation["classdict"].values()), probabilities[k], atol=1e-5)
        assert f"stands on {curves.lengths[k]} observation" in annotation["explanation"]
    assert histories(objects).alerts.history_truncated.tolist() == [bool(k % 2) for k in range(len(sky))]


def test_an_object_without_sources_is_answered_with_nothing_promised(objects, elasticc):
    objects[0]["diaSourcesList"] = []
    said = annotate(objects[:2], topic="telperion")
    assert said[0]["classification"] == elasticc.tree.nodes[0]
    assert said[0]["explanation"].startswith("No observation is of use yet")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            {"error": "no such object", "diaObjectId": None, "diaObject": {}},
            "object 1 .* no diaObjectId: no such object",
        ),
        ({"diaObjectId": 1.7003288778807e17}, "object 1 .* lost digits"),
        ({"diaSourcesList": None}, "no diaSourcesList in 1 objects, first '1700328877880"),
        ({"diaSourcesList": [{"mjd": 61000.0}]}, "no row of sources has 'midpointMjdTai' for 1 objects"),
    ],
)
def test_what_is_no_object_is_refused(objects, change, message):
    objects[1] |= change
    with pytest.raises(ValueError, match=message):
        annotate(objects, topic="telperion")


class Server(BaseHTTPRequestHandler):
    """An object and a place for annotations, at the paths that the client asks for."""

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"])).decode()
        self.server.asked.append((self.path, self.headers["Authorization"], self.headers["Content-Type"], body))
        answer = json.dumps(self.server.object if self.path == "/api/object/" else {"status": "success"}).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, *arguments):
        """Say nothing."""


@pytest.fixture
def server(objects):
    with ThreadingHTTPServer(("127.0.0.1", 0), Server) as made:
        made.asked, made.object = [], objects[0]
        threading.Thread(target=made.serve_forever, daemon=True).start()
        yield made
        made.shutdown()


def test_lasairs_own_client_fetches_objects_and_sends_annotations(server, objects):
    lasair = pytest.importorskip("lasair", reason="the client comes with telperion[dev]")
    client = lasair.lasair_client("token", endpoint=f"http://127.0.0.1:{server.server_port}/api")
    fetched = client.object(objects[0]["diaObjectId"])
    assert fetched == json.loads(json.dumps(objects[0]))
    said = annotate([fetched, *objects[1:3]], topic="telperion")
    assert client.annotate_list(said) == {"status": "success"}
    assert client.annotate(**said[0]) == {"status": "success"}
    assert [path for path, *_ in server.asked] == ["/api/object/", "/api/annotatelist/", "/api/annotate/"]
    assert {token for _, token, *_ in server.asked} == {"Token token"}
    sent = json.loads(server.asked[1][3])["annotations"]
    assert [{**each, "classdict": json.loads(each["classdict"])} for each in sent] == said
