import numpy as np
import pytest

from telperion.models.gru import GruState
from telperion.serve.records import Layout, Records


@pytest.fixture
def layout():
    return Layout(state(1, np.random.default_rng(1)))


def state(n, rng):
    hidden, said = rng.normal(size=(n, 2, 4)).astype("f4"), rng.random((n, 5)).astype("f4")
    return GruState(rng.normal(size=(n, 3)), hidden, said, rng.uniform(0, 9, n))


def records(layout, rng, lengths=(3, 0, 2)):
    head = np.repeat(layout.blank, len(lengths))
    layout.put(head, state(len(lengths), rng))
    head["context"], head["answered"] = rng.integers(0, 2**63, len(lengths)), rng.integers(0, 2**60, (len(lengths), 8))
    n = sum(lengths)
    offsets = np.cumsum([0, *lengths])
    digests, days = rng.integers(0, 2**32, n).astype("u4"), rng.integers(0, 2**16, n).astype("u2")
    return Records(np.ones(len(lengths), dtype=bool), head, digests, days, offsets)


def test_records_come_back_as_they_were(layout, rng):
    made = records(layout, rng)
    keys = [b"a", b"b", b"c"]
    back, damaged = layout.unpack(keys, layout.pack(keys, made))
    assert damaged == 0
    assert back.found.all()
    assert back.head.tobytes() == made.head.tobytes()
    for name in ("digests", "days", "offsets"):
        np.testing.assert_array_equal(getattr(back, name), getattr(made, name))
    again = layout.state(back.head)
    np.testing.assert_array_equal(again.memory, made.head["memory"])
    assert again.memory.flags.aligned


def test_what_is_not_there_is_blank(layout, rng):
    made = records(layout, rng)
    values = layout.pack([b"a", b"b", b"c"], made)
    back, damaged = layout.unpack([b"a", b"x", b"c"], [values[0], None, values[2]])
    assert damaged == 0
    assert back.found.tolist() == [True, False, True]
    assert back.offsets.tolist() == [0, 3, 3, 5]
    assert back.head["alert_time"][1] == -np.inf


def test_a_record_that_changed_in_any_bit_counts_as_damaged(layout, rng):
    (value,) = layout.pack([b"a"], records(layout, rng, (2,)))
    for place in rng.integers(0, 8 * len(value), 300):
        wrong = bytearray(value)
        wrong[place // 8] ^= 1 << (place % 8)
        back, damaged = layout.unpack([b"a"], [bytes(wrong)])
        assert damaged == 1
        assert not back.found[0]


@pytest.mark.parametrize("cut", [0, 3, 4, 50, -1, -6])
def test_a_record_of_another_length_or_object_counts_as_damaged(layout, rng, cut):
    (value,) = layout.pack([b"a"], records(layout, rng, (2,)))
    assert layout.unpack([b"a"], [value[:cut]])[1] == 1
    assert layout.unpack([b"b"], [value])[1] == 1
