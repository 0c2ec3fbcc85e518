import numpy as np
import pytest

from telperion.demo.sparkline import BLOCKS, sparkline


def heights(text: str) -> list[int]:
    upper, lower = text.split("\n")
    upper = upper.ljust(len(lower))
    return [BLOCKS.index(a) + BLOCKS.index(b) for a, b in zip(upper, lower, strict=True)]


def test_brighter_is_higher_and_the_ends_are_full_and_low(rng):
    flux = np.sort(rng.normal(size=15))
    shown = heights(sparkline(np.arange(15), flux, np.ones(15), 15))
    assert shown == sorted(shown)
    assert (shown[0], shown[-1]) == (1, 16)


@pytest.mark.parametrize("n", [1, 2, 300])
def test_any_number_of_rows_fits_the_width(rng, n):
    lines = sparkline(60_000 + rng.random(n), rng.normal(size=n), np.ones(n), 12).split("\n")
    assert len(lines) == 2
    assert max(map(len, lines)) <= 12
    assert min(heights("\n".join(lines))) >= 0


def test_gaps_are_blank_and_the_surer_row_counts_more():
    shown = heights(sparkline([0, 0, 4, 9], [0, 100, 100, 0], [1, 1e6, 1, 1], 10))
    assert [k for k, height in enumerate(shown) if height] == [0, 4, 9]
    assert shown[0] == 1
    assert shown[4] == 16


def test_nothing_is_drawn_of_nothing():
    assert sparkline([], [], []) == "\n"
