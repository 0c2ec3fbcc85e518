"""The survey: batches that are what they say, whatever the number of processes."""

import numpy as np
import pytest

from telperion.lightcurves import LightCurves
from telperion.simulate.cadence import shipped_cadence
from telperion.simulate.source import Explosions
from telperion.simulate.sources.hydrogen_rich import Interacting, Plateau
from telperion.simulate.sources.superluminous import Superluminous
from telperion.simulate.survey import (
    BATCH,
    _triggered,
    attempt,
    batches,
    extinction_at,
    galactic_latitude,
    numbered,
    places,
    simulate_batch,
    split,
)

KINDS = {"SLSN": {Superluminous(): 1.0}}


@pytest.fixture(scope="module")
def batch():
    return simulate_batch({"SLSN": 60}, KINDS, shipped_cadence(), (1, 0))


def test_a_batch_holds_what_was_asked_for_and_what_triggers(batch):
    assert len(batch) == 60
    assert set(batch.label) == {"SLSN"}
    assert not batch.dereddened
    for k in range(60):
        one = batch[k]
        seen = one.time[one.detected]
        assert seen[-1] >= seen[0] + 0.021
    assert ((batch.time >= 60275) & (batch.time <= 61380)).all()


def test_the_same_seed_gives_the_same_light_curves(batch):
    again = simulate_batch({"SLSN": 60}, KINDS, shipped_cadence(), (1, 0))
    np.testing.assert_array_equal(again.flux, batch.flux)
    other = simulate_batch({"SLSN": 60}, KINDS, shipped_cadence(), (2, 0))
    assert len(other.flux) != len(batch.flux) or (other.flux != batch.flux).any()
    assert not set(other.object_id) & set(batch.object_id)


def test_processes_and_interruptions_change_nothing(monkeypatch):
    monkeypatch.setattr("telperion.simulate.survey.BATCH", 20)
    one = list(batches({"SLSN": 50}, KINDS, seed=3))
    assert [len(part) for part in one] == [16, 17, 17]
    later = dict(list(enumerate(split({"SLSN": 50})))[1:])
    two = list(numbered(later, KINDS, shipped_cadence(), seed=3, jobs=2))
    assert len(two) == 2
    for mine, theirs in zip(one[1:], two, strict=True):
        np.testing.assert_array_equal(mine.flux, theirs.flux)
        np.testing.assert_array_equal(mine.object_id, theirs.object_id)


def test_batches_are_alike_and_complete():
    counts = {"KN": 5001, "TDE": 3, "SLSN": 7000}
    parts = split(counts)
    assert {label: sum(part[label] for part in parts) for label in counts} == counts
    assert all(sum(part.values()) <= BATCH for part in parts)
    assert max(part["KN"] for part in parts) - min(part["KN"] for part in parts) <= 1


def test_nothing_that_would_trigger_is_left_out_early(monkeypatch):
    """The early cut against brute force: the same objects trigger."""
    found = []
    for cut in (True, False):
        if not cut:
            monkeypatch.setattr(Explosions, "brightest", lambda drawn: np.full((len(drawn.redshift), 6), 1e12))
            monkeypatch.setattr("telperion.simulate.survey.could_be_seen", lambda sky, *_: np.ones(len(sky), bool))
        found.append(attempt(Superluminous(), shipped_cadence(), 1500, np.random.default_rng(5)).context["ra"])
    only = [set(one.tolist()) - set(other.tolist()) for one, other in (found, found[::-1])]
    assert len(only[0]) + len(only[1]) < 0.2 * len(found[0])  # other noise, so that those at the limit differ
    assert abs(len(only[0]) - len(only[1])) < 3.5 * np.sqrt(len(only[0]) + len(only[1]))


def test_the_bright_kinds_of_a_class_trigger_more_often():
    """Of a class with two sources, half each of what happens, what triggers shares as it does one by one."""
    faint, bright = Plateau(), Interacting()
    kept = [len(attempt(source, shipped_cadence(), 20_000, np.random.default_rng(1))) for source in (faint, bright)]
    pieces = _triggered("SNII", {faint: 0.5, bright: 0.5}, 300, shipped_cadence(), np.random.default_rng(2))
    names = LightCurves.concatenate(pieces).object_id
    assert len(names) == 300
    share = np.char.startswith(names, bright.name).mean()
    assert share == pytest.approx(kept[1] / sum(kept), abs=0.1)
    assert share > 0.6


def test_what_never_triggers_is_given_up(monkeypatch):
    monkeypatch.setattr("telperion.simulate.survey.HARDEST", 300)
    monkeypatch.setattr("telperion.simulate.observe.HALF", 1e6)
    with pytest.raises(RuntimeError, match=r"of .* objects of SLSN only 0 trigger, 5 are wanted"):
        simulate_batch({"SLSN": 5}, KINDS, shipped_cadence(), (1, 0))


def test_stars_stand_where_the_galaxy_is(rng):
    cadence = shipped_cadence()
    near, far = (
        np.median(np.abs(galactic_latitude(sky.ra, sky.decl)))
        for sky, _ in (places(cadence, 2000, label, rng) for label in ("Cepheid", "SNIa"))
    )
    assert near < far - 10
    sky, _ = places(cadence, 5000, "SNIa", rng)
    assert sky.deep.mean() == pytest.approx(0.03, abs=0.01)
    assert not places(cadence, 5000, "M-dwarf Flare", rng)[0].deep.any()


def test_dust_is_thin_at_the_poles_and_thick_in_the_plane(rng):
    assert np.median(extinction_at(np.full(2000, 80.0), rng)) < 0.03
    assert np.median(extinction_at(np.full(2000, 10.0), rng)) > 0.1
    assert extinction_at(np.zeros(500), rng).max() <= 3
