import numpy as np
import pytest

from telperion.realism.transfer import DIRECTIONS, Transfer, confusions

pytest.importorskip("lightgbm")


def table(rng, n, shift=0.0):
    label = np.repeat(np.arange(3), n)
    values = rng.normal(size=(3 * n, 5))
    values[:, 0] += 2.5 * label + shift
    return values.astype(np.float32), label


def transfer(rng, shift):
    a, b = table(rng, 80, shift), table(rng, 60)
    found = confusions(*a, *b, 3, seed=1)
    return Transfer(8.0, "none", ("a", "b", "c"), {name: one[None] for name, one in found.items()})


def test_sets_of_one_kind_transfer_as_well_as_within(rng):
    found = transfer(rng, 0.0)
    assert found.macro_f1("simulated to real")[0] == pytest.approx(found.macro_f1("within real")[0], abs=0.08)
    assert found.macro_f1("within real")[0] > 0.75


def test_a_shift_costs_transfer_but_nothing_within(rng):
    found = transfer(rng, 2.5)
    assert found.macro_f1("within simulated")[0] > 0.75
    assert found.macro_f1("simulated to real")[0] < found.macro_f1("within real")[0] - 0.2
    assert found.macro_f1("real to simulated")[0] < found.macro_f1("within simulated")[0] - 0.2


def test_every_object_is_scored_once_in_the_row_of_its_class(rng):
    found = transfer(rng, 0.0)
    for name, n in zip(DIRECTIONS, (60, 60, 80, 80), strict=True):
        np.testing.assert_array_equal(found.confusion[name][0].sum(axis=1), [n, n, n])
