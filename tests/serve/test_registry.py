"""Schemas from a registry: a real HTTP server with real schemas, and one that is away, hostile or slow."""

import base64
import contextlib
import json
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

pytest.importorskip("numba", reason="alert packets need telperion[stream]")
from telperion.cli import main
from telperion.formats.avro import schema_json
from telperion.formats.avro_files import confluent
from telperion.formats.packets import decode_alerts
from telperion.serve import registry as module
from telperion.serve.files import Files
from telperion.serve.registry import Registry
from telperion.simulate.packets import shipped_schema

UNKNOWN = 404, b'{"error_code": 40403, "message": "Schema not found"}'


class Server:
    """Answers by id: (status, body), or (status, body, headers), or bytes as they are; the last of a list stays."""

    def __init__(self) -> None:
        self.answers: dict[int, list] = {}
        self.asked: list[int] = []
        self.logins: list[str | None] = []
        own = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                number = int(self.path.rpartition("/schemas/ids/")[2])
                own.asked.append(number)
                own.logins.append(self.headers.get("Authorization"))
                answers = own.answers.get(number, [UNKNOWN])
                answer = answers.pop(0) if len(answers) > 1 else answers[0]
                if isinstance(answer, bytes):
                    self.wfile.write(answer)
                    return
                if isinstance(answer, Drip):
                    answer.send(self.wfile)
                    return
                status, body, *headers = answer
                self.send_response(status)
                for name, value in {"Content-Length": str(len(body)), **(headers[0] if headers else {})}.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"

    def gives(self, number: int, schema: str, **more: object) -> None:
        self.answers[number] = [(200, json.dumps({"schema": schema, **more}).encode())]


@pytest.fixture
def server(monkeypatch) -> Iterator[Server]:
    monkeypatch.setenv("NO_PROXY", "*")
    monkeypatch.setattr(module, "_PAUSE", 0.01)
    monkeypatch.setattr(module, "PATIENCE", 0.5)
    made = Server()
    thread = threading.Thread(target=made.server.serve_forever, args=(0.01,))
    thread.start()
    yield made
    made.server.shutdown()
    made.server.server_close()
    thread.join()


@pytest.fixture(scope="session")
def bodies(packets) -> list[bytes]:
    return [value[5:] for _, value in packets[:12]]


def test_packets_are_read_by_schemas_that_are_asked_for_once(server, bodies):
    server.gives(7, schema_json(shipped_schema()))
    schemas = Registry(server.url)
    for _ in range(2):
        alerts = decode_alerts([confluent(7, body) for body in bodies], schemas)
        wanted = decode_alerts([confluent(100, body) for body in bodies], {100: shipped_schema()})
        assert alerts.alert_id.tolist() == wanted.alert_id.tolist()
        assert not alerts.broken
    assert server.asked == [7]
    assert (list(schemas), len(schemas)) == ([7], 1)


def test_an_id_that_is_unknown_breaks_its_packets_and_is_asked_for_again_after_a_while(server, bodies, monkeypatch):
    schemas = Registry(server.url, {100: shipped_schema()})
    mixed = [confluent(8 if k % 3 else 100, body) for k, body in enumerate(bodies)]
    for _ in range(3):
        alerts = decode_alerts(mixed, schemas)
        assert len(alerts) == 4
        assert {broken.reason for broken in alerts.broken} == {"the schema id 8 is unknown"}
    assert sorted(server.asked) == [8, 100]  # and not again and again
    server.gives(8, schema_json(shipped_schema()))
    assert 8 not in schemas
    monkeypatch.setattr(module.time, "monotonic", lambda now=time.monotonic: now() + module.AGAIN)
    assert 8 in schemas
    assert not decode_alerts(mixed, schemas).broken


def test_an_id_of_ours_is_the_registrys_where_it_knows_it(server):
    server.gives(100, '{"type": "record", "name": "other", "fields": []}')
    assert Registry(server.url, {100: shipped_schema()})[100].name == "other"


def test_ids_that_somebody_makes_up_do_not_fill_the_memory(server, monkeypatch):
    monkeypatch.setattr(module, "_MOST", 5)
    schemas = Registry(server.url)
    assert not any(number in schemas for number in range(20))
    assert len(schemas._missing) == 5


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (b'{"schema": 7}', "no text 'schema'"),
        (b"{}", "no text 'schema'"),
        (b"[" * 100_000, "too deep"),
        (b'{"schema": "' + b" " * 2**22 + b'"}', "too large"),
        (b'{"schema": "no schema"}', "Expecting value"),
        (b'{"schema": "[[[", "id": 1}', "Expecting value"),
        (json.dumps({"schema": "[" * 100_000}).encode(), "too deeply"),
        (b'{"schema": "{\\"type\\": \\"record\\", \\"name\\": \\"a\\"}"}', "no list of fields"),
        (b'{"schema": "\\"other.type\\"", "references": [{"name": "other.type"}]}', "does not define it"),
        (b'{"schema": "syntax = proto3;", "schemaType": "PROTOBUF"}', "'PROTOBUF', not AVRO"),
        (b'{"schema": "\\"int\\"", "schemaType": {"a": 1}}', "not AVRO"),
    ],
)
def test_a_schema_that_is_of_no_use_breaks_its_packets_and_says_why(server, bodies, answer, words):
    server.answers[9] = [(200, answer)]
    schemas = Registry(server.url, {100: shipped_schema()})
    for _ in range(2):
        alerts = decode_alerts([confluent(9, bodies[0]), confluent(100, bodies[1])], schemas)
        assert len(alerts) == len(alerts.broken) == 1
        assert alerts.broken[0].reason.startswith("the schema id 9: ")
        assert words in alerts.broken[0].reason
    assert server.asked.count(9) == 1


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        ((401, b""), "HTTP 401"),
        ((404, b"<html>no such page</html>"), "HTTP 404"),
        ((404, b'{"error_code": 404}'), "HTTP 404"),
        ((404, b"[40403]"), "HTTP 404"),
        ((200, b"<html>please log in</html>"), "no JSON"),
        ((200, b"\xff\xfe"), "no JSON"),
        ((200, b"[]"), "no JSON object"),
        ((302, b"", {"Location": "file:///etc/passwd"}), "'file:///etc/passwd': that is not followed"),
        ((301, b"", {"Location": "https://elsewhere/"}), "not followed"),
        ((307, b"", {"Location": "/schemas/ids/3"}), "not followed"),
    ],
)
def test_who_is_no_registry_harms_no_packet_and_is_not_asked_twice(server, bodies, answer, words):
    server.answers[1] = [answer]
    with pytest.raises(ConnectionError, match=words):
        decode_alerts([confluent(1, bodies[0])], Registry(server.url))
    assert server.asked == [1]


@pytest.mark.parametrize(
    "trouble",
    [
        (503, b"busy"),
        (429, b""),
        (200, b'{"schema"', {"Content-Length": "1000"}),
        b"",
        b"no HTTP at all\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
    ],
)
def test_a_registry_in_trouble_is_asked_again_and_given_up_in_the_end(server, bodies, trouble):
    good = 200, json.dumps({"schema": schema_json(shipped_schema())}).encode()
    server.answers[1] = [trouble, trouble, good]
    assert len(decode_alerts([confluent(1, bodies[0])], Registry(server.url))) == 1
    assert len(server.asked) == 3
    server.answers[1] = [trouble]
    with pytest.raises(ConnectionError, match=r"no schema registry answers for 0\.5 s"):
        decode_alerts([confluent(1, bodies[0])], Registry(server.url))


def test_an_answer_that_drips_or_never_comes_is_given_up(server, monkeypatch):
    monkeypatch.setattr(module, "_WAIT", 0.2)
    monkeypatch.setattr(module, "PATIENCE", 0.0)
    for number, (drops, words) in enumerate([(20, "not whole after"), (0, "timed out")]):
        server.answers[number] = [Drip(drops)]
        began = time.monotonic()
        with pytest.raises(ConnectionError, match=words):
            _ = Registry(server.url)[number]
        assert time.monotonic() - began < 1


class Drip:
    """An answer of which a byte comes now and then, or none."""

    def __init__(self, drops: int) -> None:
        self.drops = drops

    def send(self, file) -> None:
        file.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n")
        for _ in range(self.drops):
            time.sleep(0.05)
            with contextlib.suppress(OSError):
                file.write(b"x")
        time.sleep(0 if self.drops else 0.5)


def test_a_login_goes_along_and_is_shown_nowhere(server, bodies):
    server.gives(1, schema_json(shipped_schema()))
    schemas = Registry(server.url.replace("//", "//me:s%40cret@") + "/ccompat/", {})
    assert 1 in schemas
    assert server.logins == ["Basic " + base64.b64encode(b"me:s@cret").decode()]
    server.answers[2] = [(403, b"")]
    with pytest.raises(ConnectionError, match="403") as refused:
        _ = schemas[2]
    assert "cret" not in repr(schemas) + str(refused.value)


@pytest.mark.parametrize(
    "url",
    [
        "ftp://host", "http://", "http://host:port", "http://me:se/cret@host", "http://host/?secret=1", "file:///secret",
        "http://höst", "http://host/a b", "http://[::1",
    ],
)  # fmt: skip
def test_what_is_no_url_is_refused_and_not_shown(url):
    with pytest.raises(ValueError, match="no URL such as http://HOST:PORT") as refused:
        Registry(url)
    assert "cret" not in str(refused.value)


def test_files_of_a_registry_that_is_away_are_no_broken_packets(bodies, tmp_path, monkeypatch):
    monkeypatch.setenv("NO_PROXY", "*")
    monkeypatch.setattr(module, "PATIENCE", 0.0)
    for k in range(3):
        (tmp_path / f"{k}.avro").write_bytes(confluent(7, bodies[k]))
    source = Files(tmp_path, Registry("http://127.0.0.1:1"))
    source.resume({})
    with pytest.raises(ConnectionError, match="no schema registry answers"):
        source.take()


def test_the_stream_takes_the_url_of_a_registry(server, bodies, tmp_path, capsys):
    pytest.importorskip("lmdb", reason="the stream needs telperion[stream]")
    server.gives(7, schema_json(shipped_schema()))
    (tmp_path / "alerts").mkdir()
    for k, body in enumerate(bodies):
        (tmp_path / "alerts" / f"{k:02}.avro").write_bytes(confluent((7, 8, 100)[k % 3], body))
    answers = tmp_path / "answers.jsonl"
    arguments = ["stream", str(tmp_path / "alerts"), "-o", str(answers), "-s", str(tmp_path / "state")]
    assert main([*arguments, "--schemas", "http://"]) == 2
    assert main([*arguments, "--schemas", server.url]) == 0
    assert len(answers.read_text().splitlines()) == 8
    letters = [json.loads(line) for line in (tmp_path / "state" / "dead.jsonl").read_text().splitlines()]
    assert [letter["place"] for letter in letters] == ["01.avro", "04.avro", "07.avro", "10.avro"]
    assert {letter["reason"] for letter in letters} == {"the schema id 8 is unknown, at byte 1"}
