"""Templates held out, and bounds that hold."""

import numpy as np
import pytest

from telperion.simulate.grid import Grid
from telperion.simulate.kinds import KINDS
from telperion.simulate.literature import Files, magnitudes_in, peaks_in, split, templates


@pytest.mark.parametrize("n", [0, 1, 2, 3, 5, 24, 329])
def test_every_template_is_kept_or_held_out(n):
    names = [f"SN {k}" for k in range(n)]
    kept, held = split(names, False), split(names, True)
    if n == 1:
        assert kept.tolist() == held.tolist() == [0]
        return
    assert sorted([*kept, *held]) == list(range(n))
    if n > 1:
        assert min(len(kept), len(held)) >= 1
        assert len(held) == max(1, round(n / 4))


def test_a_template_stays_on_its_side_in_any_order():
    names = [f"SN {k}" for k in range(40)]
    held = {names[k] for k in split(names, True)}
    assert held == {names[::-1][k] for k in split(names[::-1], True)}
    assert 3 < sum(int(name.split()[1]) < 20 for name in held) < 8  # by hash, not by place


def test_what_is_used_is_said():
    class Made:
        name, files = "a", Files(("x",), "0f", ("A", "B", "C"), True)

    expected = {"TDE": {"a": {"templates": 1, "held_out": True, "digest": "0f"}}}
    assert templates({**KINDS, "TDE": {Made(): 0.5, **KINDS["TDE"]}}) == expected
    assert templates(KINDS) == {}


def test_magnitudes_are_ab():
    level = 3631e9 * 10 ** (0.4 * 18)  # nJy of magnitude -18
    values = level * np.array([0.5, 1.0, 0.1])[None, :, None] * np.ones((1, 3, 60))
    grid = Grid(values.astype(np.float32), (-1.0, 1.0), (np.log(0.3), 0.02))
    found = magnitudes_in(grid, 0.437, 0.037)
    np.testing.assert_allclose(found, -18 - 2.5 * np.log10([[0.5, 1.0, 0.1]]), atol=1e-3)
    assert peaks_in(grid, "B") == pytest.approx(-17.91, abs=1e-3)
    assert peaks_in(grid, "R") == pytest.approx(-18.21, abs=1e-3)
