"""Random cuts of training light curves: every place is what was known at some day."""

import numpy as np
import pytest

from telperion.encode.truncate import LONGEST_DAYS, SHORT_DAYS, draw_days
from telperion.encode.view import FORCED, view
from telperion.lightcurves import LightCurves


@pytest.fixture(scope="module")
def curves():
    rng = np.random.default_rng(0)
    n, rows = 600, 120
    time = np.sort(60_000 + rng.uniform(-60, 1400, (n, rows)), axis=1)
    return LightCurves.from_rows(
        np.arange(n).repeat(rows), time.ravel(), rng.integers(0, 6, n * rows), rng.normal(0, 500, n * rows),
        np.full(n * rows, 50.0), (time > 60_000).ravel() & (rng.random(n * rows) < 0.5),
    )  # fmt: skip


@pytest.mark.parametrize("kind", ["full", "alert"])
def test_every_place_is_the_last_row_of_some_day(curves, kind):
    cut, places = draw_days(curves, np.random.default_rng(1), kind, 3)
    for number in range(0, len(curves), 37):
        since = cut[number : number + 1].days_since_first_detection
        least = 0.0 if (since >= 0).all() and since[-1] < FORCED else FORCED  # forced photometry comes after a day
        for place in places[number]:
            known = view(curves[number : number + 1], max(since[place], least), kind)
            assert known.n_rows == place + 1


def test_so_many_are_cut_short(curves):
    def longest(short):
        cut, _ = draw_days(curves, np.random.default_rng(2), "full", 4, short=short)
        return np.maximum.reduceat(cut.days_since_first_detection, cut.offsets[:-1])

    assert (longest(1.0) <= SHORT_DAYS).all()
    some, none = longest(0.5), longest(0.0)
    late = (none > SHORT_DAYS).mean()
    assert late > 0.7
    assert (some > SHORT_DAYS).mean() == pytest.approx(late / 2, abs=0.06)
    assert none.max() <= LONGEST_DAYS
