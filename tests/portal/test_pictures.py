"""Small pictures: points where the numbers put them, nothing outside, and words for whoever does not see them."""

import numpy as np
import pytest

from telperion.lightcurves import LightCurves
from telperion.portal.pictures import HEIGHT, MOST, WIDTH, axis, picture
from telperion.simulate.drawn import draw


def curve(time, flux, detected=None, band=1):
    n = len(time)
    seen = np.ones(n, dtype=bool) if detected is None else np.asarray(detected)
    return LightCurves(["a"], [0, n], time, np.full(n, band), flux, np.ones(n), seen)


def test_points_stand_in_proportion_to_time_and_flux():
    drawn = picture(curve([100.0, 115.0, 130.0], [0.0, 50.0, 100.0]), 20.0, 30.0, "it", zero=100.0)
    x, y = np.array([p.x for p in drawn.points]), np.array([p.y for p in drawn.points])
    assert np.diff(x)[0] == pytest.approx(np.diff(x)[1])
    assert np.diff(y)[0] == pytest.approx(np.diff(y)[1])
    assert (np.diff(x) > 0).all()
    assert (np.diff(y) < 0).all()  # upwards
    assert y[0] == pytest.approx(drawn.zero)
    assert [p.later for p in drawn.points] == [False, False, True]
    assert x[1] < drawn.now < x[2]
    assert drawn.brightest == "26.4 mag in g"
    assert drawn.words == "Light curve of it: 3 observations over 30.0 d, brightest 26.4 mag in g"


def test_whatever_comes_all_points_are_inside():
    curves = draw(n_per_class=2, seed=5)
    for k in range(len(curves)):
        zero = float(np.nan_to_num(curves.first_detection[k]))
        drawn = picture(curves[k], 10.0, 400.0, "x", zero=zero)
        assert len(drawn.points) <= MOST
        assert all(0 <= p.x <= WIDTH and 0 <= p.y <= HEIGHT for p in drawn.points)
        assert 0 <= drawn.zero <= HEIGHT


def test_nothing_to_draw_is_drawn_as_nothing():
    drawn = picture(curve([], []), 0.0, 30.0, "it")
    assert drawn.points == ()
    assert drawn.words == "Light curve of it: 0 observations over 0.0 d".replace("0.0 d", "0.00 d")
    dark = picture(curve([0.0, 1.0], [-5.0, -1.0], [False, False]), 1.0, 30.0, "it")
    assert dark.brightest == ""
    assert all(0 <= p.y <= HEIGHT for p in dark.points)


def test_the_axis_shows_what_became_of_the_likes_in_proportion():
    assert axis(400.0, ()) == 400.0
