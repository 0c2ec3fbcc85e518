"""The score of a sky's objects for tonight: `telperion.rank.plan.rank` must say the same of the same light curves."""

from dataclasses import replace

import numpy as np
import pytest

import telperion
from telperion.followup import LEAST, followed, information
from telperion.lightcurves import LightCurves
from telperion.rank.plan import Observing, rank
from telperion.rank.telescope import Telescope
from telperion.serve.answers import Provenance
from telperion.serve.sky import Sky, Wanted
from telperion.serve.sky_messages import first_score
from telperion.serve.sky_sink import write_sky
from telperion.tonight import UNIX, score_sky, tonight, usual

NIGHT = "2025-11-20"
LAST = 60_999.0


def provenance(classifier, name) -> Provenance:
    return Provenance(name, classifier.fingerprint, classifier.tree)


def some_curves(magnitudes, *, last=LAST, decl=-30.0, name="o") -> LightCurves:
    """Objects that rise by half a magnitude, in gri every second day for a fortnight."""
    n = len(magnitudes)
    time = np.sort(np.concatenate([last - np.arange(0, 14, 2.0) + 0.001 * k for k in range(3)]))
    band = np.tile([1, 2, 3], 7)
    magnitude = np.asarray(magnitudes)[:, None] + 0.5 * (time[-1] - time) / 14
    flux = 10 ** (0.4 * (31.4 - magnitude)).ravel()
    return LightCurves.from_codes(
        np.repeat(np.arange(n), time.size), np.tile(time, n), np.tile(band, n), flux, 0.02 * flux,
        np.ones(flux.size, dtype=bool), objects=[f"{name}{k}" for k in range(n)],
        context={"ra": np.full(n, 60.0), "decl": np.broadcast_to(decl, n), "mwebv": np.zeros(n)},
    )  # fmt: skip


@pytest.fixture(scope="module")
def classifier():
    return telperion.load("elasticc")


@pytest.fixture
def make(tmp_path, classifier):
    def go(curves) -> Sky:
        write_sky(tmp_path, provenance(classifier, "elasticc"), classifier, curves, days=(1000.0,))
        return Sky(tmp_path)

    return go


def scores(sky) -> dict[str, float]:
    return {each.object_id: each.score for each in sky.objects(Wanted(), limit=1000)}


@pytest.mark.parametrize("wanted", [{}, {"among": "Transient"}, {"sought": {"TDE": 1.0, "KN": 3.0}}])
def test_scores_are_those_of_rank(make, tmp_path, classifier, wanted):
    curves = some_curves(np.linspace(17, 21.5, 12))
    night = Observing(NIGHT, **wanted)
    sky = make(curves)
    assert score_sky(tmp_path, night) == len(curves)
    plan = rank(classifier, curves, night)
    said = dict(zip(plan["object_id"].to_pylist(), plan["score"].to_pylist(), strict=True))
    assert min(said.values()) > 0
    assert scores(sky) == pytest.approx(said, rel=1e-3)


def test_what_cannot_be_observed_stands_last(make, tmp_path):
    parts = [
        some_curves([19.0], name="good"), some_curves([24.0, 25.0], name="faint"),
        some_curves([18.0], decl=80, name="north"), some_curves([18.0], last=LAST - 60, name="gone"),
        some_curves([18.0], decl=np.nan, name="nowhere"),
    ]  # fmt: skip
    sky = make(LightCurves.concatenate(parts))
    assert min(scores(sky).values()) > 0, "the first score does not know what is up"
    assert score_sky(tmp_path, Observing(NIGHT)) == 5
    found = scores(sky)
    assert found["good0"] > found["faint0"] > found["faint1"] > 0
    assert found["north0"] == found["gone0"] == found["nowhere0"] == 0


def test_an_object_that_comes_alive_again_has_a_score_at_once(make, tmp_path):
    old = some_curves([18.0], last=LAST - 60)
    sky = make(old)
    score_sky(tmp_path, Observing(NIGHT))
    assert scores(sky) == {"o0": 0}
    make(replace(some_curves([18.0]), object_id=old.object_id))
    assert scores(sky)["o0"] > 0


def test_the_first_score_is_near_that_of_the_night(make, tmp_path):
    sky = make(some_curves(np.linspace(18, 21.8, 12)))
    before = scores(sky)
    score_sky(tmp_path, Observing(NIGHT, among="Transient"))
    ratio = np.array([after / before[name] for name, after in scores(sky).items()])
    assert (ratio > 0.4).all()
    assert (ratio < 1.6).all()


def test_the_first_score_is_by_the_telescope_that_is_usual(classifier):
    tree, telescope = classifier.tree, Telescope()
    said = tree.from_leaves(np.full((2, 19), 1 / 19))
    magnitude = np.array([20.0, 23.0])
    hours = telescope.hours(magnitude, 1.0) + telescope.overhead / 60
    share = np.where(telescope.hours(magnitude, 1.0) > telescope.longest, LEAST, 1)
    told = information(said, tree, "Transient")
    np.testing.assert_allclose(first_score(said, magnitude, tree), share * told / hours, rtol=1e-6)


def test_a_variable_star_of_no_sure_kind_stands_behind_a_transient_of_no_sure_kind(classifier):
    tree = classifier.tree

    def among(*names):
        return np.isin([tree.nodes[leaf] for leaf in tree.leaves], names) / len(names)

    said = tree.from_leaves(np.stack([
        among("RR Lyrae", "Delta Scuti", "EB", "Cepheid"), among("SNIa", "TDE"), among("SNIa"), among("SNIa", "AGN"),
    ]))  # fmt: skip
    star, doubtful, sure, either = first_score(said, np.full(4, 20.0), tree)
    assert star == pytest.approx(0, abs=1e-6)
    assert sure == pytest.approx(0, abs=1e-6)
    assert either == pytest.approx(doubtful)
    assert doubtful > 1


def test_by_default_a_sky_is_in_the_order_of_what_spectra_tell_of_transients(make, tmp_path):
    sky = make(some_curves(np.linspace(18, 21.8, 12)))
    assert usual(sky).among == followed(sky.tree) == "Transient"
    score_sky(tmp_path)
    default = scores(sky)
    score_sky(tmp_path, replace(usual(sky), among=""))
    assert default != pytest.approx(scores(sky))
    score_sky(tmp_path, usual(sky))
    assert default == pytest.approx(scores(sky))


def test_the_night_is_now_where_alerts_come_and_else_that_of_the_latest(make):
    sky = make(some_curves([19.0]))
    latest = sky.latest_alert()
    assert tonight(sky, lambda: (latest + 0.5 - UNIX) * 86_400) == pytest.approx(latest + 0.5)
    assert tonight(sky, lambda: (latest + 100 - UNIX) * 86_400) == latest


def test_a_node_that_is_not_there_is_refused_before_anything_is_written(make, tmp_path):
    sky = make(some_curves([19.0]))
    before = sky.version_now()
    with pytest.raises(KeyError, match="Unicorn"):
        score_sky(tmp_path, Observing(NIGHT, sought={"Unicorn": 1.0}))
    assert sky.version_now() == before
