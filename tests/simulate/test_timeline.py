"""Light curves moved in time: which detection goes where, and what is known when."""

from dataclasses import replace

import numpy as np
import pytest

from telperion.lightcurves import LightCurves
from telperion.simulate.timeline import START, Timeline, visit_numbers


def draw(curves, rng, first_share=0.25, delay=1.0, seed=3):
    when = START + np.arange(len(curves)) % 7 * 39 / 86_400
    return when, Timeline.draw(curves, when, rng, first_share=first_share, delay=delay, seed=seed)


def plain(n, n_rows=20):
    """Objects with a row a day, detected from the third one on."""
    time = np.tile(60_000.0 + np.arange(n_rows), n)
    detected = np.tile(np.arange(n_rows) >= 2, n)
    code = np.repeat(np.arange(n), n_rows)
    ones = np.ones(n * n_rows)
    return LightCurves.from_codes(code, time, ones.astype(int), 50 * ones, ones, detected, objects=np.arange(n))


def test_every_object_has_a_detection_exactly_at_its_time_and_moves_as_a_whole(crowded, rng):
    curves = crowded
    when, line = draw(curves, rng)
    for k in range(len(curves)):
        old, new = curves[k], line.curves[k]
        assert when[k] in new.time[new.detected]
        np.testing.assert_allclose(new.time - old.time, new.time[0] - old.time[0], rtol=0, atol=1e-9)
        np.testing.assert_array_equal(np.diff(new.time) > 0, np.diff(old.time) > 0)
        np.testing.assert_array_equal(new.flux, old.flux)


@pytest.mark.parametrize("share", [0.0, 0.25, 1.0])
def test_a_share_of_the_objects_is_seen_for_the_first_time_and_the_rest_at_any_later_one(rng, share):
    when, line = draw(plain(400), rng, first_share=share)
    first = line.first == when
    assert first.mean() == share
    ages = np.round(when - line.first)[~first]
    assert set(ages) <= set(range(1, 18))
    if share == 0:
        assert set(ages) == set(range(1, 18))
        assert ages.mean() == pytest.approx(9, abs=1)


def test_what_has_one_detection_is_seen_with_it(rng):
    curves = plain(30, n_rows=3)
    when, line = draw(curves, rng, first_share=0.0)
    np.testing.assert_array_equal(line.first, when)


def test_forced_photometry_is_late_by_days_and_never_known_on_the_first_day(rng):
    _, line = draw(plain(2000), rng, delay=1.5)
    rows = np.arange(line.curves.n_rows)
    objects = line.curves.object_index
    known = line.known(rows, objects)
    assert (known >= line.first[objects] + 1).all()
    late = (known - line.curves.time)[line.curves.time > line.first[objects] + 1]
    assert late.min() > 0
    assert late.mean() == pytest.approx(1.5, rel=0.05)
    assert np.median(late) < 1.5 < 4 < np.percentile(late, 99) < 12
    _, line = draw(plain(20), rng, delay=0.0)
    after = line.curves.time > line.first[line.curves.object_index] + 1
    known = line.known(np.arange(after.size), line.curves.object_index)
    np.testing.assert_array_equal(known[after], line.curves.time[after])


def test_what_is_shown_is_what_a_plain_loop_finds(crowded, rng):
    curves = crowded
    _, line = draw(curves, rng, delay=3.0)
    rows = rng.permutation(np.flatnonzero(curves.detected))
    objects = line.curves.object_index[rows]
    shown = line.shown(rows, objects)
    time, detected = line.curves.time, line.curves.detected
    some = 0
    for k, (row, owner) in enumerate(zip(rows, objects, strict=True)):
        own = np.arange(line.curves.offsets[owner], line.curves.offsets[owner + 1])
        own = own[time[own] <= time[row]]
        assert shown.detections[k] == detected[own].sum()
        own = own[time[own] >= time[row] - 365]
        earlier = [each for each in own if detected[each] and each != row]
        late = line.known(own, np.full(own.size, owner))
        forced = own[(late <= time[row]) & (time[own] >= line.first[owner] - 30)]
        assert shown.sources[shown.source_places[k] : shown.source_places[k + 1]].tolist() == earlier
        assert shown.forced[shown.forced_places[k] : shown.forced_places[k + 1]].tolist() == forced.tolist()
        some += len(forced) > 0
    assert some > 50


def test_a_row_has_a_visit_and_detector_of_its_own_among_its_objects(crowded, rng):
    curves = crowded
    _, line = draw(curves, rng)
    objects = line.curves.object_index
    columns = line.forced(np.arange(curves.n_rows), objects)
    keys = np.stack([objects, columns["visit"], columns["detector"]])
    assert np.unique(keys, axis=1).shape[1] == curves.n_rows
    assert ((columns["detector"] >= 0) & (columns["detector"] < 189)).all()
    assert len(np.unique(columns["diaForcedSourceId"])) == curves.n_rows


def test_visits_are_numbered_by_night_and_follow_each_other():
    middle = START + np.arange(2215) * 39 / 86_400
    np.testing.assert_array_equal(visit_numbers(middle + 3), 6_150_300_000 + np.arange(2215))


def test_an_object_that_is_never_detected_is_refused(rng):
    curves = plain(3)
    with pytest.raises(ValueError, match="3 objects have no detection, first '0'"):
        draw(replace(curves, detected=np.zeros(curves.n_rows, dtype=bool)), rng)
