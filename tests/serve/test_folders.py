import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from telperion.serve.answers import Provenance
from telperion.serve.folders import LinesFile, ParquetFolder
from telperion.serve.outbox import Message
from telperion.serve.taken import Origin
from telperion.taxonomy import Taxonomy


def messages(first, last, form=b"%d"):
    return [Message(Origin("a", k), b"key", form % k) for k in range(first, last)]


def table(first, last) -> list[Message]:
    rows = pa.table({"k": np.arange(first, last), "text": pa.array(["x" * 200] * (last - first))})
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, rows.schema) as writer:
        writer.write_table(rows)
    return [Message(Origin("a", first), b"", sink.getvalue().to_pybytes())]


def test_lines_are_added_and_the_mark_is_their_end(tmp_path):
    for first in (0, 3):
        sink = LinesFile(tmp_path / "new" / "a.jsonl")
        sink.resume("")
        sink.publish(messages(first, first + 3))
        assert sink.flush() == str(sink.path.stat().st_size)
        sink.close()
    assert (tmp_path / "new" / "a.jsonl").read_bytes() == b"0\n1\n2\n3\n4\n5\n"


@pytest.mark.parametrize("torn", [b"", b"3\n", b"3\n4", b"\xff" * 10_000])
def test_lines_behind_the_mark_are_forgotten_and_the_next_mark_is_true(tmp_path, torn):
    path = tmp_path / "a.jsonl"
    sink = LinesFile(path)
    sink.publish(messages(0, 3))
    mark = sink.flush()
    sink.close()
    with open(path, "ab") as file:
        file.write(torn)
    for _ in range(2):  # broken off again before anything is written
        sink = LinesFile(path)
        sink.resume(mark)
        mark = sink.flush()
        sink.close()
        assert mark == "6" == str(path.stat().st_size)
    sink = LinesFile(path)
    sink.resume(mark)
    sink.publish(messages(3, 4))
    assert sink.flush(last=True) == "8"
    sink.close()
    assert path.read_bytes() == b"0\n1\n2\n3\n"


def test_another_file_than_was_written_is_refused(tmp_path):
    (tmp_path / "a.jsonl").write_bytes(b"short")
    sink = LinesFile(tmp_path / "a.jsonl")
    with pytest.raises(ValueError, match="has 5 bytes, of which 6 were written"):
        sink.resume("6")
    assert (tmp_path / "a.jsonl").read_bytes() == b"short"


def rows(folder) -> list[int]:
    return [k for file in sorted(folder.glob("part-*.parquet")) for k in pq.read_table(file)["k"].to_pylist()]


def test_parts_have_rows_enough_and_nothing_lies_beside_them(tmp_path):
    sink = ParquetFolder(tmp_path, rows=50)
    sink.resume("")
    for first in range(0, 200, 20):
        sink.publish(table(first, first + 20))
        sink.flush()
    sizes = [pq.read_metadata(file).num_rows for file in sorted(tmp_path.glob("part-*"))]
    assert min(sizes) >= 50
    assert sink.flush(last=True) == f"{len(sizes) + 1}:0"
    sink.close()
    assert rows(tmp_path) == list(range(200))
    assert pq.read_table(tmp_path).num_rows == 200
    assert [file.name for file in tmp_path.glob("_*")] == []


def test_an_empty_end_leaves_no_part(tmp_path):
    sink = ParquetFolder(tmp_path)
    sink.resume("")
    assert sink.flush(last=True) == "0:0"
    sink.close()
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("seed", range(6))
def test_a_folder_broken_off_anywhere_goes_on_from_what_was_noted(tmp_path, seed):
    rng = np.random.default_rng(seed)
    noted, mark, last = 0, "", False  # what the account says: messages up to there are published
    while not last:
        sink = ParquetFolder(tmp_path, rows=40)
        sink.resume(mark)
        mark = sink.flush()
        published = noted
        for _ in range(int(rng.integers(0, 6))):
            if published < 300:
                size = int(rng.integers(1, 30))
                sink.publish(table(published, published + size))
                published += size
            if rng.random() < 0.7:
                found = sink.flush()
                if rng.random() < 0.3:  # finished, perhaps as a part, but never noted
                    break
                mark, noted = found, published
        last = noted >= 300
        if last:
            sink.flush(last=True)
            sink.close()
            break
        sink._streams.close()  # as a process ends
        for name in ("_part-00000.writing", f"_part-{int(mark.partition(':')[0]):05d}.writing"):
            if rng.random() < 0.3:
                (tmp_path / name).write_bytes(b"half a table")
        if rng.random() < 0.3:
            with open(next(tmp_path.glob("_part-*.arrow")), "ab") as file:
                file.write(rng.bytes(100))
    assert rows(tmp_path) == list(range(noted))
    assert [file.name for file in tmp_path.glob("_*")] == []


def test_a_part_may_hold_the_answers_of_several_classifiers(tmp_path, make_answers, elasticc):
    sink = ParquetFolder(tmp_path)
    small = Taxonomy("small", {"All": {"a": {}, "b": {}}})
    for tree, version in ((elasticc, "one"), (elasticc, "two"), (small, "one")):
        answers = make_answers(tree, 5)
        streams = pa.BufferOutputStream()
        rows = answers.to_arrow(Provenance("some", version, tree))
        with pa.ipc.new_stream(streams, rows.schema) as writer:
            writer.write_table(rows)
        sink.publish([Message(Origin("a", 0), b"", streams.getvalue().to_pybytes())])
    sink.flush(last=True)
    sink.close()
    found = pq.read_table(tmp_path)
    assert found["classifier_version"].to_pylist() == ["one"] * 5 + ["two"] * 5 + ["one"] * 5
    assert found["a"].null_count == 10
    assert found["TDE"].null_count == 5
