"""Stores that are damaged, full or read-only: a clear stop, or answers as if nothing had been."""

import json
import os
import shutil
import subprocess
import sys

import numpy as np
import pytest

pytest.importorskip("lmdb", reason="the stream needs telperion[stream]")
pytest.importorskip("numba", reason="the stream needs telperion[stream]")
from telperion.formats.avro_write import container
from telperion.serve.store import Store
from telperion.serve.store_error import StoreError
from telperion.serve.stream import Stream
from telperion.simulate.packets import shipped_schema

DAMAGED = int(os.environ.get("TELPERION_DAMAGED", "6"))

# Runs a stream in each of some folders, each in a process of its own, since a damaged database may end it.
RUN_ALL = """
import json, os, resource, signal, sys
from pathlib import Path
from telperion.serve.run import run_worker
from telperion.serve.stream import Stream, load

load("elasticc")
source, limit, *folders = sys.argv[1:]
for folder in folders:
    child = os.fork()
    if not child:
        signal.alarm(60)
        if int(limit):
            resource.setrlimit(resource.RLIMIT_FSIZE, (int(limit), int(limit)))
        place = Path(folder)
        log = os.open(place / "log", os.O_WRONLY | os.O_CREAT)
        os.dup2(log, 2)
        code = 9
        try:
            run_worker(Stream(source, (str(place / "answers.jsonl"),), place / "state"), stop=lambda: False)
            code = 0
        except Exception as error:
            (place / "error").write_text(f"{type(error).__name__}: {error}")
            code = 1
        os._exit(code)
    print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)
"""


def run_all(source, folders, limit=0) -> list[int]:
    """Give the exit codes, minus the signal where one ended a process."""
    done = subprocess.run(
        [sys.executable, "-c", RUN_ALL, str(source), str(limit), *map(str, folders)], stdout=subprocess.PIPE, check=True
    )
    return [int(code) for code in done.stdout.split()]


def lines(place) -> list[dict]:
    """Give the answers of a file, but for what differs from run to run."""
    changing = ("brokerIngestTimestamp", "brokerPublishTimestamp", "latency")
    text = (place / "answers.jsonl").read_bytes()
    whole = text[: text.rfind(b"\n") + 1]  # a crash may leave half a line, which is cut off when it goes on
    return [
        {name: value for name, value in json.loads(line).items() if name not in changing} for line in whole.splitlines()
    ]


def same(found: list[dict], wanted: list[dict]) -> bool:
    """Whether answers are the same, in the same order."""
    if len(found) != len(wanted):
        return False
    for one, other in zip(found, wanted, strict=True):
        said = [list(answer["probabilities"].values()) for answer in (one, other)]
        if one | {"probabilities": 0} != other | {"probabilities": 0} or not np.allclose(*said, atol=1e-5):
            return False
    return True


@pytest.fixture(scope="module")
def prepared(season, tmp_path_factory):
    """A folder of alerts, what a stream says of them, and two stores half way: ended well, and broken off."""
    place = tmp_path_factory.mktemp("prepared")
    many = place / "alerts"
    many.mkdir()
    schema = shipped_schema()
    for first in range(0, len(season), 10):
        bodies = [packet[5:] for packet in season[first : first + 10]]
        (many / f"visit-{first:05d}.avro").write_bytes(container(schema, bodies))
    files = sorted(many.glob("*.avro"))
    for name, stop in (("ended", True), ("broken", False)):
        some = place / f"{name}-alerts"
        some.mkdir()
        base = place / name
        base.mkdir()
        for part in (files[: len(files) // 3], files[len(files) // 3 : len(files) // 2]):
            for file in part:
                shutil.copy(file, some)
            worker = Stream(str(some), (str(base / "answers.jsonl"),), base / "state").worker()
            worker.resume()
            worker.turn()
            if stop:
                worker.close()
            worker.store.close()
        (base / "state" / "worker-0" / "version.json").write_text(json.dumps(worker.store.version))
        with Store(base / "state" / "worker-0", worker.store.version) as store:
            assert len(store.waiting()) == (not stop)
            kept = store.about["positions"]
            store.commit(positions={str(many.resolve()): position for position in kept.values()})  # the same, elsewhere
    whole = place / "whole"
    whole.mkdir()
    assert run_all(many, [whole]) == [0]
    wanted = lines(whole)
    assert len(wanted) == len(season)
    return place, many, wanted


def copied(base, folder) -> None:
    """Copy what a stream left, so that it goes on in the copy."""
    shutil.copytree(base, folder)
    about = json.loads((folder / "state" / "worker-0" / "version.json").read_text())
    with Store(folder / "state" / "worker-0", about) as store:
        (mark,) = (mark for name, mark in store.about["marks"].items() if "answers" in name)
        store.commit(marks=store.about["marks"] | {str((folder / "answers.jsonl").resolve()): mark})


def damage(file, rng) -> None:
    """Do one of several things to a file, which leave its size."""
    data = bytearray(file.read_bytes())
    pages, kind = len(data) // 4096, int(rng.integers(5))
    for _ in range(int(rng.integers(1, 30))):
        place = int(rng.integers(len(data)))
        page, other = (4096 * int(one) for one in rng.integers(0, pages, 2))
        if kind == 0:
            data[place] ^= 1 << int(rng.integers(8))
        elif kind == 1:
            data[place : place + 64] = rng.bytes(len(data[place : place + 64]))
        elif kind == 2:
            data[page : page + 4096] = data[other : other + 4096]  # as a write that went astray
        elif kind == 3:
            data[page : page + 4096] = bytes(4096)
        else:
            data[page + 8 : page + 40] = rng.bytes(32)  # where a page says what it is
    file.write_bytes(data)


@pytest.mark.timeout(600)
def test_a_damaged_store_stops_clearly_or_goes_on_as_if_it_were_not(prepared, tmp_path, rng):
    base, alerts, wanted = prepared
    folders = [tmp_path / f"{k}" for k in range(DAMAGED)]
    for k, folder in enumerate(folders):
        copied(base / ("broken" if k % 2 else "ended"), folder)
        if k > 1:  # the first two are whole
            damage(folder / "state" / "worker-0" / "data.mdb", rng)
    codes = run_all(alerts, folders)
    assert codes[:2] == [0, 0]
    for code, folder in zip(codes, folders, strict=True):
        found = lines(folder)
        if code == 0:
            assert same(found, wanted), folder
        else:
            assert same(found, wanted[: len(found)]), folder
        if code == 1:
            said = (folder / "error").read_text()
            assert said.startswith("StoreError"), said
        assert code in (0, 1, -7, -11, -6), (code, folder)  # LMDB may end the process; it may not hang


def test_a_disk_that_is_full_stops_clearly_and_nothing_is_lost_once_it_is_not(prepared, tmp_path):
    base, alerts, wanted = prepared
    answers = (base / "ended" / "answers.jsonl").stat().st_size
    for limit in (answers + 3000, 4096):  # of what grows, of all from the start
        folder = tmp_path / f"{limit}"
        if limit > 4096:
            copied(base / "ended", folder)
        else:
            folder.mkdir()
        assert run_all(alerts, [folder], limit) == [1]
        said = (folder / "error").read_text()
        assert "File too large" in said or "full" in said, said
        assert said.startswith(("StoreError", "OSError")), said
        if (folder / "answers.jsonl").exists():
            found = lines(folder)
            assert same(found, wanted[: len(found)])
        assert run_all(alerts, [folder]) == [0]
        assert same(lines(folder), wanted)


def test_a_store_that_is_full_stops_clearly_and_goes_on_with_more_room(prepared, tmp_path):
    _, alerts, wanted = prepared
    stream = Stream(str(alerts), (str(tmp_path / "answers.jsonl"),), tmp_path / "state", largest=2**17)
    worker = stream.worker()
    with pytest.raises(StoreError, match="--store-size"):  # noqa: PT012 - the same in one of several turns
        worker.resume()
        while worker.turn():
            pass
    worker.store.close()
    assert run_all(alerts, [tmp_path]) == [0]
    assert same(lines(tmp_path), wanted)


def test_a_place_that_cannot_be_written_is_said_so(prepared):
    if not os.path.isdir("/proc/self"):
        pytest.skip("needs a folder that root cannot write either: /proc")
    with pytest.raises(StoreError, match="cannot be opened"):
        Store("/proc/self/telperion", "v")


def test_a_store_whose_account_is_gone_or_changed_is_refused(tmp_path):
    lmdb = pytest.importorskip("lmdb")
    for k, change in enumerate((None, b"{}", b"1234{}")):
        with Store(tmp_path / f"{k}", "v") as store:
            store.commit([(b"a", b"1")], positions={"a": 1})
        with lmdb.open(str(tmp_path / f"{k}"), max_dbs=4) as environment:
            rest = environment.open_db(b"rest")
            with environment.begin(write=True, db=rest) as transaction:
                transaction.delete(b"about") if change is None else transaction.put(b"about", change)
        with pytest.raises(StoreError, match="damaged"):
            Store(tmp_path / f"{k}", "v")


def test_what_waits_is_not_published_when_it_has_changed(tmp_path):
    lmdb = pytest.importorskip("lmdb")
    with Store(tmp_path, "v") as store:
        store.commit((), {1: b"one", 2: b"two"})
    with lmdb.open(str(tmp_path), max_dbs=4) as environment:
        outbox = environment.open_db(b"outbox")
        with environment.begin(write=True, db=outbox) as transaction:
            transaction.put((2).to_bytes(8, "big"), transaction.get((1).to_bytes(8, "big")))
    with Store(tmp_path, "v") as store, pytest.raises(StoreError, match="what waits in it"):
        store.waiting()
