"""Pages as a server makes them: what is asked is there, and what nobody should trust is only text."""

import re
from html import escape, unescape

import pytest
from tests.portal.portals import HOSTILE, client_of

from telperion.serve.sky import Sky

CSV = "object_id,time,band,flux,flux_err\n" + "".join(
    f"a,{61000 + 3 * k},{'gri'[k % 3]},{300 + 200 * k},40\n" for k in range(8)
)


def form(client, **fields):
    return client.post("/upload", files={name: (None, value) for name, value in fields.items()})


@pytest.mark.parametrize("name", HOSTILE)
def test_an_objects_page_shows_its_name_as_text(client, name):
    answer = client.get("/object", params={"id": name})
    assert answer.status_code == 200
    heading = re.search(r"<h1>(.*?)</h1>", answer.text, re.DOTALL)[1]
    assert unescape(heading) == name
    assert re.sub(r"&(amp|lt|gt|#34|#39);", "", heading).count("<") == 0


def test_the_list_shows_all_names_as_text(client):
    text = client.get("/?sort=newest").text + client.get("/?text=script").text + client.get("/?text=img").text
    assert "<script>window" not in text
    assert "<img" not in text
    assert escape("<script>window.hacked=1</script>", quote=False) in text


def test_what_was_asked_for_comes_back_as_text(client):
    nasty = '"><script>window.hacked=1</script>'
    for path in ("/", "/model", "/object", "/nowhere"):
        answer = client.get(
            path,
            params={"text": nasty, "id": nasty, "node": nasty, "context": nasty[:20]},
            headers={"accept": "text/html"},
        )
        assert nasty not in answer.text


def test_filters_that_make_no_sense_are_told_and_the_list_is_there(client):
    text = client.get("/?node=Nothing&least=7&most_days=soon&sort=best&after=nonsense").text
    assert text.count('role="alert"') == 5
    assert 'class="name"' in text


def test_paging_goes_through_the_whole_list(client, sky_folder):
    seen, address = [], "/"
    while address:
        text = client.get(address).text
        seen += re.findall(r'class="name" href="([^"]+)"', text)
        more = re.search(r'id="more".*?href="([^"]+)"', text)
        address = unescape(more[1]) if more else None
    assert len(seen) == len(set(seen)) == client.get("/api/v1/about").json()["objects"]


def test_the_part_that_the_list_fetches_holds_rows_alone(client):
    text = client.get("/?part=rows", headers={"hx-request": "true"}).text
    assert text.lstrip().startswith("<tr")
    assert "<html" not in text
    rows = client.get("/rows", params=[("id", "obj-001"), ("id", "none such"), ("id", HOSTILE[0])]).text
    assert rows.count("<tr") == 2


def test_an_objects_page_marks_what_is_promised_and_lists_every_node(client, model):
    text = client.get("/object?id=obj-003").text
    assert text.count('class="node') >= len(model.classifier.tree.nodes)
    assert text.count(">promised</span>") == 1
    assert text.count(">likeliest</span>") == 1
    assert "Table of observations" in text


def test_the_light_curve_of_a_page_can_be_uploaded_again(client):
    for name in ("obj-003", HOSTILE[10], HOSTILE[11]):
        csv = client.get("/object.csv", params={"id": name})
        assert csv.headers["content-disposition"] == 'attachment; filename="curve.csv"'
        answer = form(client, text=csv.text, unit="njy")
        assert answer.status_code == 303, answer.text
        assert client.get(answer.headers["location"]).status_code == 200
    assert not re.search(r"^\"?[=+@-]", client.get("/object.csv", params={"id": HOSTILE[10]}).text, re.MULTILINE)


def test_what_an_object_looks_like_is_told(client):
    text = client.get("/object/neighbours?id=obj-003").text
    assert text.count("<li>") == 5 + 8  # classes and known objects; the object itself has a mark of its own
    assert "Strangeness" in text


def test_an_upload_is_answered_with_the_same_page(client):
    answer = form(client, text=CSV, unit="njy")
    text = client.get(answer.headers["location"]).text
    assert "The tree now" in text
    assert "Classes, as the light curve grew" in text
    key = answer.headers["location"].split("?")[1]
    assert client.get(f"/answer/neighbours?{key}").status_code == 200
    assert client.get(f"/answer.csv?{key}").text.count("\n") == 9


def test_several_objects_are_answered_in_a_list(client):
    many = CSV + CSV.split("\n", 1)[1].replace("a,", "<b>,") + "faint,61000,g,1,5\n"
    text = client.get(form(client, text=many, unit="njy").headers["location"]).text
    assert text.count('class="name"') == 3
    assert "<b>" not in text.replace("<b class", "")
    assert "no detection" in text


def test_a_bad_upload_is_explained_at_its_rows_and_the_text_is_kept(client):
    bad = 'time,band,flux,flux_err\n61000,g,"<script>window.hacked=1</script>",1\n61001,q,1,1\n'
    answer = form(client, text=bad, unit="njy")
    assert answer.status_code == 422
    assert "line 2" in answer.text
    assert "line 3" in answer.text
    assert "<script>window" not in answer.text
    assert escape("<script>window.hacked=1</script>", quote=False) in answer.text


@pytest.mark.parametrize(
    ("content", "kind"),
    [(b"", "multipart/form-data; boundary=x"), (b"--x", "multipart/form-data"),
     (b"a=b", "application/x-www-form-urlencoded"),
     (b"--x\r\n\r\n--x", "multipart/form-data; boundary=" + "x" * 200), (b"\0" * 99, "multipart/form-data; boundary=x"),
     (b"--x\r\nContent-Disposition: form-data; name=\"text\"\r\n\r\n" * 40, "multipart/form-data; boundary=x")],
)  # fmt: skip
def test_a_form_that_is_none_is_explained(client, content, kind):
    assert client.post("/upload", content=content, headers={"content-type": kind}).status_code == 422


def test_a_file_larger_than_may_be_is_refused_while_it_is_read(sky_folder, model):
    with client_of(Sky(sky_folder), model, most_bytes=10_000) as client:
        answer = client.post("/upload", files={"file": ("a.csv", b"x" * 20_000)})
        assert answer.status_code == 422
        assert "larger than 10,000 bytes" in answer.text


def test_the_name_of_a_file_is_of_no_account(client):
    answer = client.post("/upload", files={"file": ("../../../tmp/x.parquet", CSV.encode()), "unit": (None, "njy")})
    assert answer.status_code == 303


def test_a_forgotten_upload_and_a_missing_object_say_so(client):
    assert "gone" in client.get("/answer?key=none&n=0").text
    assert client.get("/answers?key=none").status_code == 404
    assert client.get("/object?id=none").status_code == 404


def test_the_model_page_shows_the_measurement_that_is_published(client):
    text = client.get("/model?context=none&days=64").text
    assert ".755" in text
    assert "What it must not be used for" in text
    assert text.count('class="point"') >= 10
    for odd in ("context=nothing&days=1e9", "days=-5", "days=nan"):
        assert client.get(f"/model?{odd}").status_code == 200


def test_a_classifier_without_a_measurement_says_so(model):
    from telperion.portal.known import Model

    with client_of(None, Model("plasticc-gru")) as client:
        assert "is not known to this page" in client.get("/model").text
        assert client.get("/").status_code == 200


def test_nobody_serves_the_frameworks_own_pages(client):
    for path in ("/docs", "/redoc", "/openapi.json"):
        assert client.get(path).status_code == 404
