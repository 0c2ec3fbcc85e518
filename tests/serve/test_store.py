import os
import subprocess
import sys
import time

import pytest

pytest.importorskip("lmdb", reason="the store needs telperion[stream]")
from telperion.serve.store import Store
from telperion.serve.store_error import StoreError


def test_all_of_a_commit_is_there_when_it_is_opened_again(tmp_path):
    with Store(tmp_path, "v") as store:
        store.commit([(b"a", b"1"), (b"b", b"2")], {1: b"x", 2: b"y"}, positions={"t/0": 7})
        store.commit([(b"a", b"3")], done=[1], counts={"packets": 2})
    with Store(tmp_path, "v") as store:
        assert store.read([b"a", b"b", b"c"]) == [b"3", b"2", None]
        assert store.waiting() == [(2, b"y")]
        assert store.about["positions"] == {"t/0": 7}
        assert store.about["counts"] == {"packets": 2}
        assert len(store) == 2


def test_states_of_another_classifier_are_dropped_and_positions_kept(tmp_path):
    with Store(tmp_path, "v") as store:
        store.commit([(b"a", b"1")], {1: b"x"}, positions={"t/0": 7})
    with Store(tmp_path, "w") as store:
        assert store.read([b"a"]) == [None]
        assert store.waiting() == [(1, b"x")]
        assert store.about["positions"] == {"t/0": 7}


def test_one_process_at_a_time_uses_a_store(tmp_path):
    with Store(tmp_path, "v"), pytest.raises(StoreError, match="another process uses this store"):
        Store(tmp_path, "v")
    Store(tmp_path, "v").close()


def test_a_full_store_says_so_and_keeps_what_it_had(tmp_path):
    with Store(tmp_path, "v", largest=2**18) as store:
        store.commit([(b"a", b"1")], n=1)
        with pytest.raises(StoreError, match="full"):
            store.commit([(b"%d" % k, bytes(4000)) for k in range(1000)], n=2)
        assert store.about["n"] == 1
        assert store.read([b"a", b"5"]) == [b"1", None]
        store.commit([(b"b", b"2")], n=3)
    with Store(tmp_path, "v") as store:
        assert store.about["n"] == 3


def test_a_store_cut_short_is_refused(tmp_path):
    with Store(tmp_path, "v") as store:
        store.commit([(b"%d" % k, bytes(3000)) for k in range(500)])
    file = tmp_path / "data.mdb"
    for size in (file.stat().st_size // 2, 5000, 100):
        os.truncate(file, size)
        with pytest.raises(StoreError, match=r"damaged|cannot be opened"):
            Store(tmp_path, "v")


def test_a_file_that_is_no_store_is_refused(tmp_path):
    (tmp_path / "data.mdb").write_bytes(b"not a store" * 10_000)
    with pytest.raises(StoreError, match="damaged"):
        Store(tmp_path, "v")


def test_a_folder_that_cannot_be_written_is_refused(tmp_path):
    (tmp_path / "file").write_text("x")
    with pytest.raises(StoreError, match="cannot be opened"):
        Store(tmp_path / "file", "v")


COMMIT_FOR_EVER = """
import sys
from telperion.serve.store import Store

store = Store(sys.argv[1], "v")
k = int(store.about.get("k", 0))
while True:
    k += 1
    store.commit([(b"%d" % i, b"%d" % k) for i in range(50)], {k: b"x" * 1000}, done=[k - 1], k=k)
    if k % 10 == 0:
        print(k, flush=True)
"""


def test_a_process_killed_at_any_moment_leaves_whole_commits(tmp_path, rng):
    last = 0
    for wait in rng.uniform(0, 0.1, 4):
        process = subprocess.Popen([sys.executable, "-c", COMMIT_FOR_EVER, tmp_path], stdout=subprocess.PIPE)
        assert process.stdout.readline()
        time.sleep(wait)
        process.kill()
        process.communicate()
        with Store(tmp_path, "v") as store:
            k = store.about["k"]
            assert k > last
            assert set(store.read([b"%d" % i for i in range(50)])) == {b"%d" % k}
            assert [number for number, _ in store.waiting()] == [k]
            last = k
