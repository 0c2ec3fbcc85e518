"""`telperion stream` as people run it: to the end, broken off, following a folder, in several processes."""

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("lmdb", reason="the stream needs telperion[stream]")
pytest.importorskip("numba", reason="the stream needs telperion[stream]")
from telperion.cli import main
from telperion.serve import run as module
from telperion.serve.run import run
from telperion.serve.sky import Sky, Wanted
from telperion.serve.stream import Stream
from telperion.serve.worker import COUNTS
from telperion.simulate.save_night import save_night

WAIT = 60.0
KILL = "TELPERION_KILLS" in os.environ  # takes a minute


@pytest.fixture(scope="module")
def folder(night, tmp_path_factory):
    place = tmp_path_factory.mktemp("night")
    save_night(place, night)
    return place


def begin(*arguments) -> subprocess.Popen:
    code = "import sys; from telperion.cli import main; sys.exit(main())"
    return subprocess.Popen(
        [sys.executable, "-c", code, "stream", *map(str, arguments)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def ids(path: Path) -> list[int]:
    return [json.loads(line)["alertId"] for line in path.read_text().splitlines()] if path.exists() else []


def until(holds, seconds: float = WAIT) -> None:
    end = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < end, "it takes too long"
        time.sleep(0.05)


def account(text: str) -> dict[str, int]:
    """Read the table that is printed at the end."""
    rows = [line.split() for line in text.replace("solar system", "solar_system").splitlines()]
    return {
        row[0].replace("_", " "): int(row[1].replace(",", "")) for row in rows if len(row) > 1 and row[1][0].isdigit()
    }


def test_a_folder_is_answered_to_its_end_and_accounted_for(folder, packets, tmp_path, capsys):
    arguments = ["stream", str(folder), "-o", str(tmp_path / "a.jsonl"), "-s", str(tmp_path / "state")]
    before = signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)
    assert main(arguments) == 0
    counts = account(capsys.readouterr().out)
    assert counts["packets"] == counts["answered"] == len(packets) == len(set(ids(tmp_path / "a.jsonl")))
    assert counts["packets"] == sum(counts[name] for name in COUNTS[1:])
    assert counts["objects"] == counts["new"]
    assert (signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)) == before
    assert main(arguments) == 0  # all is answered
    assert account(capsys.readouterr().out)["packets"] == len(packets)
    assert len(ids(tmp_path / "a.jsonl")) == len(packets)


def test_a_sky_holds_what_the_other_outputs_say_however_often_it_is_said(folder, packets, tmp_path):
    places = [f"sky+{tmp_path / 'sky'}", str(tmp_path / "a.jsonl")]
    for state in ("state", "other-state"):  # the second one begins anew and says all again
        assert main(["stream", str(folder), "-o", *places, "-s", str(tmp_path / state)]) == 0
    lines = [json.loads(line) for line in (tmp_path / "a.jsonl").read_text().splitlines()]
    said, sky = {line["alertId"]: line for line in lines}, Sky(tmp_path / "sky")
    names = {line["objectId"] for line in lines}
    assert sky.count(Wanted()) == len(names)
    found = 0
    for name in names:
        known = sky.object(name)
        found += len(known.answers)
        assert known.light_curve.n_rows >= known.answers.n_rows[-1]
        for alert, chances in zip(known.answers.alert_id.tolist(), known.answers.probabilities, strict=True):
            ours = [said[alert]["probabilities"][node] for node in sky.nodes]
            np.testing.assert_allclose(chances, ours, atol=1e-5)
    assert found == len(packets) == len(said)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_who_is_asked_to_stop_ends_well_and_goes_on_later(folder, packets, tmp_path, number, capsys):
    some = tmp_path / "some"
    some.mkdir()
    files = sorted(folder.glob("visit-*.avro"))
    for file in files[: len(files) // 2]:
        shutil.copy(file, some)
    arguments = [some, "-o", tmp_path / "a.jsonl", "-s", tmp_path / "state"]
    process = begin(*arguments, "--follow")
    until(lambda: len(ids(tmp_path / "a.jsonl")) > 0)
    for file in files[len(files) // 2 :]:  # written elsewhere and renamed
        shutil.copy(file, tmp_path / "partial")
        (tmp_path / "partial").rename(some / file.name)
    process.send_signal(number)
    said, errors = process.communicate(timeout=WAIT)
    assert process.returncode == 0, errors
    assert "Traceback" not in errors
    assert account(said)["answered"] == len(ids(tmp_path / "a.jsonl"))
    assert main(["stream", *map(str, arguments)]) == 0
    assert account(capsys.readouterr().out)["answered"] == len(packets)
    assert Counter(ids(tmp_path / "a.jsonl")).most_common(1)[0][1] == 1
    assert len(ids(tmp_path / "a.jsonl")) == len(packets)


def test_files_that_are_added_are_followed_and_counted_for_prometheus(folder, packets, tmp_path):
    parser = pytest.importorskip("prometheus_client.parser", reason="metrics need telperion[stream]")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    some = tmp_path / "some"
    some.mkdir()
    arguments = ["--follow", "--metrics", port, "--filter", "SN > 0.3"]
    process = begin(some, "-o", tmp_path / "a.jsonl", "-s", tmp_path / "state", *arguments)

    def metrics() -> dict:
        try:
            text = urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=5).read().decode()
        except OSError:
            return {}
        return {
            (sample.name, *sample.labels.values()): sample.value
            for family in parser.text_string_to_metric_families(text)
            for sample in family.samples
        }

    try:
        files = sorted(folder.glob("visit-*.avro"))
        for k, file in enumerate(files):
            shutil.copy(file, tmp_path / "partial")
            (tmp_path / "partial").rename(some / file.name)
            if k == len(files) // 2:
                until(lambda: metrics().get(("telperion_packets_in_total",), 0) > 0)
        (some / "zzz.avro").write_bytes(b"no alert")
        until(lambda: metrics().get(("telperion_packets_in_total",)) == len(packets) + 1)
        found = metrics()
        fates = [name.replace(" ", "_") for name in COUNTS[1:]]
        counts = {fate: found["telperion_packets_total", fate] for fate in fates}
        assert sum(counts.values()) == len(packets) + 1
        assert counts["dead"] == 1
        assert counts["answered"] == len(ids(tmp_path / "a.jsonl"))
        assert counts["filtered"] > 0
        buckets = [value for name, value in found.items() if name[0] == "telperion_latency_seconds_bucket"]
        assert buckets == sorted(buckets)
        assert buckets[-1] == found["telperion_latency_seconds_count",] == counts["answered"]
    finally:
        process.terminate()
        _, errors = process.communicate(timeout=WAIT)
    assert process.returncode == 0, errors


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        (["--filter", "TDEE > 1"], "TDEE"),
        (["-o", "avro+x.jsonl"], "Avro goes to a topic"),
        (["-m", "no-such-model"], "no-such-model"),
        (["-m", "plasticc"], "reads whole light curves"),
        (["--workers", "2"], "files are read by one"),
        (["-s", "/proc/self/none"], "cannot be opened"),
        (["--kafka", "a"], "KEY=VALUE"),
        (["--settle", "-1"], "settle"),
        (["-o", "kafka://127.0.0.1:1/none"], "no broker answers"),
    ],
)
def test_a_mistake_is_said_in_a_line(folder, tmp_path, capsys, monkeypatch, changes, words):
    monkeypatch.chdir(tmp_path)
    if words == "no broker answers":
        monkeypatch.setattr("telperion.serve.kafka_topics._WAIT", 1.0)
    assert main(["stream", str(folder), "-o", "a.jsonl", "-s", str(tmp_path / "state"), *changes]) == 2
    said = capsys.readouterr().err
    assert said.startswith("telperion stream:")
    assert words in said.replace("\n", " ")
    assert "Traceback" not in said


def test_a_source_that_is_not_there_is_said_in_a_line(tmp_path, capsys):
    assert main(["stream", "no[/where]", "-o", str(tmp_path / "a.jsonl"), "-s", str(tmp_path / "state")]) == 2
    assert "no[/where]: no such file or folder" in capsys.readouterr().err


def test_a_port_that_is_taken_is_said_and_signals_are_left_as_they_were(folder, tmp_path):
    pytest.importorskip("prometheus_client", reason="metrics need telperion[stream]")
    before = signal.getsignal(signal.SIGTERM)
    stream = Stream(str(folder), (str(tmp_path / "a.jsonl"),), tmp_path / "state")
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        with pytest.raises(OSError, match="in use"):
            run(stream, metrics=taken.getsockname()[1], quiet=True)
        port = taken.getsockname()[1]
    for _ in range(2):  # a port is free again after a run
        run(stream, metrics=port, quiet=True)
    assert signal.getsignal(signal.SIGTERM) is before


class Child:
    """A process that is over as soon as it is begun."""

    def __init__(self, code: int) -> None:
        self.exitcode = code

    def is_alive(self) -> bool:
        return False

    def terminate(self) -> None: ...

    def join(self) -> None: ...


@pytest.fixture
def endings(monkeypatch, tmp_path):
    """Run workers that end with some codes, the last of them again and again; gives how many were begun."""

    def go(codes: list[int], most: int = 40) -> int:
        begun: list[int] = []

        def begin(_, stream, number):
            begun.append(codes[min(len(begun), len(codes) - 1)])
            if len(begun) == most:
                os.kill(os.getpid(), signal.SIGTERM)
            return Child(begun[-1])

        monkeypatch.setattr(module, "_begin", begin)
        stream = Stream("kafka://127.0.0.1:1/a", (str(tmp_path / "a.jsonl"),), tmp_path / "state")
        try:
            module._run_processes(stream, 1, (stop := module._Stop()), lambda _: None)
        finally:
            stop.forget()
            go.begun = len(begun)
        return len(begun)

    monkeypatch.setattr(module, "_EVERY", 0.001)
    monkeypatch.setattr(module, "_AGAIN", 0.0)
    return go


@pytest.mark.parametrize(("code", "words"), [(-signal.SIGBUS, "signal 7"), (1, "status 1")])
def test_a_worker_that_crashes_at_once_again_and_again_is_given_up(endings, code, words):
    with pytest.raises(RuntimeError, match=rf"worker 0 ended 5 times in a row .*, last with {words}: it is not begun"):
        endings([code])
    assert endings.begun == 5


def test_a_worker_that_cannot_go_on_is_given_up_at_once(endings):
    with pytest.raises(ValueError, match="cannot go on"):
        endings([module._WRONG])
    assert endings.begun == 1


def test_a_worker_whose_broker_is_away_is_begun_anew_as_long_as_it_takes(endings):
    assert endings([-9, -9, -9, -9, module._AWAY]) == 40


def test_a_worker_that_crashes_now_and_then_is_begun_anew(endings, monkeypatch):
    monkeypatch.setattr(module, "_SOON", 0.0)
    assert endings([-9]) == 40


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (ConnectionError("away"), module._AWAY),
        (OSError("full"), 1),
        (FileNotFoundError("gone"), module._WRONG),
        (ValueError("no such filter"), module._WRONG),
    ],
)
def test_a_worker_says_by_its_code_whether_it_is_worth_another_try(monkeypatch, capsys, error, code):
    def fail(*_, **__):
        raise error

    monkeypatch.setattr(module, "run_worker", fail)
    before = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)]
    try:
        with pytest.raises(SystemExit) as ended:
            module._child(None, 3)
    finally:
        for number, handler in zip((signal.SIGINT, signal.SIGTERM), before, strict=True):
            signal.signal(number, handler)
    assert ended.value.code == code
    assert capsys.readouterr().err == f"worker 3: {error}\n"


def children(process: int) -> list[int]:
    """Worker processes of a process."""
    found = Path(f"/proc/{process}/task/{process}/children").read_text().split()
    return [int(pid) for pid in found if b"spawn_main" in Path(f"/proc/{pid}/cmdline").read_bytes()]


@pytest.mark.timeout(300)
@pytest.mark.skipif(not os.path.isdir("/proc/self/task"), reason="children are found in /proc")
def test_workers_share_a_topic_and_one_that_is_killed_is_begun_anew(broker, packets, tmp_path):
    kafka = pytest.importorskip("telperion.serve.kafka_topics")
    kafka.KafkaTopic(broker, "shared", partitions=2).send(packets[:40])
    settings = ["--kafka", "session.timeout.ms=6000", "heartbeat.interval.ms=1000"]
    arguments = [
        f"kafka://{broker}/shared",
        "-s",
        tmp_path / "state",
        "--group",
        "shared",
        "-o",
        f"json+kafka://{broker}/shared-answers",
    ]
    process = begin(*arguments, "--workers", 2, *settings)

    def answers() -> list[int]:
        where = {"bootstrap.servers": broker}
        return [
            json.loads(message.value())["alertId"]
            for partition in range(kafka.count_partitions(broker, "shared-answers"))
            for message in kafka.read_on(where, "shared-answers", partition)
        ]

    try:
        until(lambda: kafka._known({"bootstrap.servers": broker}, "shared-answers"))
        until(lambda: len(answers()) >= 40)
        first = children(process.pid)
        assert len(first) == 2
        if KILL:
            os.kill(first[0], signal.SIGKILL)
        kafka.KafkaTopic(broker, "shared", partitions=2).send(packets[40:])
        until(lambda: len(children(process.pid)) == 2 and (not KILL or first[0] not in children(process.pid)))
        until(lambda: len(answers()) >= len(packets))
        process.send_signal(signal.SIGTERM)
        said, errors = process.communicate(timeout=WAIT)
        assert process.returncode == 0, errors
        assert account(said)["answered"] == len(packets)
        assert Counter(answers()).most_common(1)[0][1] == 1
        if not KILL:
            return
        process = begin(*arguments, "--workers", 2, *settings)
        until(lambda: len(children(process.pid)) == 2)
        orphans = children(process.pid)
        time.sleep(3)
        process.kill()
        process.communicate()
        until(lambda: not any(Path(f"/proc/{pid}/fd").is_dir() and is_running(pid) for pid in orphans))
        assert len(answers()) == len(packets)
    finally:
        for pid in children(process.pid) if process.poll() is None else ():
            os.kill(pid, signal.SIGKILL)
        process.kill()
        process.communicate()


def is_running(process: int) -> bool:
    """Tell whether a process is there and more than a name."""
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False
