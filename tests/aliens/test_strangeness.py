"""Strangeness: even for known objects at all phases, one for what is far off, NaN without rows; saved and read."""

import io
import zipfile

import numpy as np
import pytest

from telperion.aliens.files import read_arrays, write_arrays
from telperion.aliens.strangeness import FILE, MAX_BYTES, Aliens

N_HIDDEN = 5
CONTEXTS = ("specz", "none")
MOMENTS = np.array([0.0, 2.0, 5.0, 20.0, 100.0, 1000.0])


def draw(rng, n):
    """Draw objects at six moments whose states get wider by phase, with their rows and without context."""
    days = np.repeat(MOMENTS, n) * rng.uniform(0.8, 1, 6 * n)
    rows = rng.integers(1, 20, 6 * n)
    label, held = np.tile(rng.integers(0, 4, n), 6), np.tile(rng.choice(CONTEXTS, n), 6)
    wide = (1 + np.log1p(days)) * (1 + (held == "none")) * np.sqrt(rows)
    state = rng.normal(0, 1, (6 * n, N_HIDDEN)) * wide[:, None] * 0.1 + label[:, None]
    return {"hidden": state, "labels": label, "days": days, "rows": rows, "context": held}


def fit(data, **more):
    n = len(data["days"]) // 6
    return Aliens.fit(**data, measures=np.tile(np.arange(n) % 2 == 0, 6), contexts=CONTEXTS, **more)


def score(aliens, data):
    return aliens.score(data["hidden"], data["days"], data["rows"], data["context"])


@pytest.fixture(scope="module")
def fitted():
    rng = np.random.default_rng(0)
    return fit(draw(rng, 9000)), draw(rng, 4000)


def test_known_objects_are_spread_evenly_at_every_moment_context_and_number_of_rows(fitted):
    aliens, test = fitted
    found, moment = score(aliens, test), np.repeat(np.arange(6), 4000)
    few = test["rows"] < 7
    for k in range(6):
        for which in (test["context"] == "specz", test["context"] == "none", few, ~few):
            mine = found[(moment == k) & which]
            for level in (0.5, 0.9, 0.95, 0.99):
                error = np.sqrt(level * (1 - level) / mine.size) + np.sqrt(level * (1 - level) / 700)
                within = 4 * error + (0.04 if which is few or which is ~few else 0)  # rows are told apart in thirds
                assert np.mean(mine > level) == pytest.approx(1 - level, abs=within)


def test_what_is_far_from_all_classes_is_as_strange_as_can_be(fitted):
    aliens, test = fitted
    assert (score(aliens, test | {"hidden": test["hidden"] + 100}) == 1).all()
    assert score(aliens, test).max() <= 1
    assert score(aliens, test).min() >= 0


def test_without_rows_there_is_no_number(fitted):
    aliens, test = fitted
    days = test["days"].copy()
    days[:7] = np.nan
    found = score(aliens, test | {"days": days})
    assert np.isnan(found[:7]).all()
    np.testing.assert_array_equal(found[7:], score(aliens, test)[7:])


def test_neither_order_nor_company_of_objects_matters(fitted, rng):
    aliens, test = fitted
    order = rng.permutation(len(test["days"]))[:300]
    some = score(aliens, {name: values[order] for name, values in test.items()})
    np.testing.assert_allclose(some, score(aliens, test)[order], atol=1e-5)
    alone = [score(aliens, {name: values[[k]] for name, values in test.items()})[0] for k in order[:40]]
    np.testing.assert_allclose(alone, some[:40], atol=1e-5)


def test_a_farther_state_is_never_less_strange(fitted):
    aliens, _ = fitted
    steps = np.linspace(3, 30, 200)[:, None] * np.ones(N_HIDDEN)
    found = aliens.score(steps, np.full(200, 3.0), np.full(200, 9), np.full(200, "none"))
    assert (np.diff(found) >= 0).all()
    assert found[0] < 1
    assert found[-1] == 1


def test_what_is_saved_is_read_to_the_bit(fitted, tmp_path):
    aliens, test = fitted
    aliens.save(tmp_path)
    again = Aliens.load(tmp_path)
    np.testing.assert_array_equal(score(again, test), score(aliens, test))
    again.save(tmp_path / "..")
    assert (tmp_path / ".." / FILE).read_bytes() == (tmp_path / FILE).read_bytes()


def spoilt(path, **changes):
    """Write a file again with other arrays; None leaves one out."""
    arrays = read_arrays(path, MAX_BYTES) | changes
    write_arrays(path, {name: values for name, values in arrays.items() if values is not None})


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"format": np.array([2])}, "this version reads"),
        ({"turn": None}, "lacks 'turn'"),
        ({"contexts": np.array(["none", "none"])}, "different names"),
        ({"contexts": np.array(["none"])}, "of shape"),
        ({"edges": np.array([0.0, 9.0, 4.0, 64.0])}, "rise from 0"),
        ({"mean": np.zeros((4, 4, 3), np.float32)}, "mean has shape"),
        ({"root": np.zeros((4, 4, 3), np.float32)}, "no triangle"),
        ({"turn": np.full((4, N_HIDDEN, N_HIDDEN), np.nan, np.float32)}, "not finite in 100 places"),
        ({"turn": np.float32(1.0).reshape(())}, "no score of strangeness"),
        ({"levels": np.array([0.0, 1.0])}, "nearer of shape"),
        ({"nearer": np.ones(3)}, "nearer of shape"),
    ],
)
def test_a_file_that_cannot_be_right_is_refused(fitted, tmp_path, changes, said):
    fitted[0].save(tmp_path)
    spoilt(tmp_path / FILE, **changes)
    with pytest.raises(ValueError, match=said):
        Aliens.load(tmp_path)


def member(header, body=b"", magic=b"\x93NUMPY\x01\x00"):
    text = header.encode()
    return magic + len(text).to_bytes(2, "little") + text + body


@pytest.mark.parametrize(
    "content",
    [
        member("{'descr': '<f8', 'fortran_order': False, 'shape': (1000000000000,), }\n", b"12345678"),
        member("{'descr': '|O', 'fortran_order': False, 'shape': (1,), }\n", b"12345678"),
        member("{'descr': '<f8', 'fortran_order': False, 'shape': (-1,), }\n", b"12345678"),
        member("{'descr': '<U0', 'fortran_order': False, 'shape': (9000000,), }\n"),
        member("{'descr': '<f8', 'fortran_order': True, 'shape': (1,), }\n", b"12345678"),
        member("__import__('os').getcwd()\n"),
        member("(" * 900 + "\n"),
        member("{'descr': [('a', '<f8')], 'fortran_order': False, 'shape': (1,), }\n", b"12345678"),
        member("{}\n", magic=b"\x93NUMPY\x03\x00"),
        b"",
    ],
)
def test_arrays_are_looked_at_before_they_are_believed(tmp_path, content):
    path = tmp_path / FILE
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("turn.npy", content)
    with pytest.raises(ValueError, match=r"cannot be read|holds no arrays"):
        read_arrays(path, MAX_BYTES)


def test_large_compressed_and_foreign_files_are_refused(tmp_path):
    path = tmp_path / FILE
    with pytest.raises(ValueError, match="missing"):
        read_arrays(path, MAX_BYTES)
    path.write_bytes(b"no archive")
    with pytest.raises(ValueError, match="holds no arrays"):
        read_arrays(path, MAX_BYTES)
    np.savez_compressed(path, turn=np.zeros(10_000_000))
    with pytest.raises(ValueError, match="compressed"):
        read_arrays(path, MAX_BYTES)
    write_arrays(path, {"turn": np.zeros(MAX_BYTES)})
    with pytest.raises(ValueError, match="larger than"):
        read_arrays(path, MAX_BYTES)


def test_a_file_with_any_byte_changed_is_read_or_refused(fitted, tmp_path, rng):
    fitted[0].save(tmp_path)
    path = tmp_path / FILE
    content = path.read_bytes()
    for place in rng.integers(0, len(content), 300):
        path.write_bytes(content[:place] + bytes([rng.integers(256)]) + content[place + 1 :])
        try:
            Aliens.load(tmp_path)
        except ValueError:
            continue


def test_numpy_reads_the_file_too(fitted, tmp_path):
    fitted[0].save(tmp_path)
    with np.load(io.BytesIO((tmp_path / FILE).read_bytes()), allow_pickle=False) as theirs:
        ours = read_arrays(tmp_path / FILE, MAX_BYTES)
        assert sorted(theirs) == sorted(ours)
        for name, values in ours.items():
            np.testing.assert_array_equal(values, theirs[name])


def test_all_or_none_held_out_is_refused(rng):
    data = draw(rng, 50)
    for held in (np.ones(300, dtype=bool), np.zeros(300, dtype=bool)):
        with pytest.raises(ValueError, match="some objects must fit"):
            Aliens.fit(**data, measures=held, contexts=CONTEXTS)


def test_few_objects_lean_on_their_neighbours(rng):
    aliens = fit(draw(rng, 300))
    assert np.isfinite(aliens.nearer).all()
    assert np.mean(score(aliens, draw(rng, 500)) > 0.9) == pytest.approx(0.1, abs=0.06)
