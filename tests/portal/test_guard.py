"""What the guard refuses, and what every answer carries."""

from html.parser import HTMLParser

import pytest
from tests.portal.portals import ORIGIN, client_of

from telperion.portal.guard import POLICY
from telperion.serve.sky import Sky

CSV = b"time,band,flux,flux_err\n61000,g,100,5\n"


@pytest.mark.parametrize(
    "path", ["/", "/upload", "/model", "/api", "/api/v1/about", "/static/portal.css", "/nowhere", "/object"]
)
def test_every_answer_carries_the_headers_that_keep_a_browser_safe(client, path):
    headers = client.get(path).headers
    assert headers["content-security-policy"] == POLICY
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["referrer-policy"] == "same-origin"
    assert headers["x-frame-options"] == "DENY"


def test_the_policy_allows_nothing_that_is_written_into_a_page():
    assert "unsafe" not in POLICY
    assert "default-src 'none'" in POLICY
    assert "frame-ancestors 'none'" in POLICY


class Written(HTMLParser):
    """Gathers what a page writes into itself: attributes that are styles or scripts, and such elements."""

    def __init__(self):
        super().__init__()
        self.found = []

    def handle_starttag(self, tag, attrs):
        given = dict(attrs)
        self.found += [name for name in given if name == "style" or name.startswith("on")]
        if tag == "style" or (tag == "script" and "src" not in given and given.get("type") != "application/json"):
            self.found.append(tag)


@pytest.mark.parametrize("path", ["/", "/upload", "/model", "/api", "/object?id=obj-001"])
def test_no_page_holds_a_style_or_a_script_of_its_own(client, path):
    page = Written()
    page.feed(client.get(path).text)
    assert page.found == []


def test_another_name_for_this_machine_is_refused(client):
    for host in ("evil.example", "127.0.0.1.evil.example", "", "localhost.evil.example:8765"):
        assert client.get("/", headers={"host": host}).status_code == 421
    for host in ("localhost:1", "127.0.0.1", "[::1]:8765"):
        assert client.get("/", headers={"host": host}).status_code == 200


def test_a_form_from_another_site_is_refused(client):
    for headers in ({"origin": "http://evil.example"}, {"origin": "null"}, {"sec-fetch-site": "cross-site"}):
        assert client.post("/api/v1/classify", content=CSV, headers=headers).status_code == 403
    assert client.post("/api/v1/classify", content=CSV, headers={"origin": ORIGIN}).status_code == 200


def test_what_is_too_large_is_refused_before_it_is_read(client):
    large = str(client.app._settings.most_bytes * 2)
    assert client.post("/api/v1/classify", content=CSV, headers={"content-length": large}).status_code == 413
    assert client.post("/login", content=b"token=" + b"x" * 100_000).status_code == 413
    for wrong in ("-1", "1e9", "x"):
        assert client.post("/api/v1/classify", content=CSV, headers={"content-length": wrong}).status_code == 413


def test_what_announces_no_length_is_cut_while_it_is_read(client):
    taken = []

    def endless():
        for _ in range(10_000):
            taken.append(1)
            yield b"x" * 65_536

    assert client.post("/api/v1/classify", content=endless()).status_code == 413
    assert client.get("/health").status_code == 200


def test_a_client_that_asks_too_often_waits(sky_folder, model):
    with client_of(Sky(sky_folder), model, rate=1.0, burst=5.0) as client:
        answers = [client.get("/health") for _ in range(8)]
        assert [answer.status_code for answer in answers] == [200] * 5 + [429] * 3
        assert int(answers[-1].headers["retry-after"]) >= 1
        assert client.get("/static/portal.css").status_code == 200  # a page that is there stays whole


def test_a_token_is_asked_of_everything_but_signing_in(sky_folder, model):
    with client_of(Sky(sky_folder), model, token="a long secret") as client:
        assert client.get("/").status_code == 303
        assert client.get("/").headers["location"] == "/login?to=%2F"
        for path in ("/api/v1/about", "/api/v1/openapi.json", "/events"):
            assert client.get(path).status_code == 401
        assert client.post("/upload").status_code == 401
        for headers in ({"authorization": "Bearer a long secret"}, {"x-token": "a long secret"}):
            assert client.get("/api/v1/about", headers=headers).status_code == 200
        for wrong in ("Bearer a long secre", "Bearer ", "Basic a long secret", "Bearer \xe9"):
            assert client.get("/api/v1/about", headers={"authorization": wrong.encode("latin-1")}).status_code == 401
        assert client.get("/login").status_code == 200


def test_a_path_reaches_no_file(client):
    for path in (
        "/static/../settings.py",
        "/static/%2e%2e/settings.py",
        "/static/..%2f..%2fcli.py",
        "/static//etc/passwd",
    ):
        assert client.get(path).status_code == 404
