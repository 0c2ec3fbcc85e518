"""Light curves drawn from formulae: what a demonstration and a test may rely on."""

import numpy as np
import pytest

from telperion.simulate.drawn import PAIR, draw
from telperion.simulate.formulae import FORMULAE
from telperion.taxonomy import Taxonomy


@pytest.fixture(scope="module")
def curves():
    return draw(20, seed=2)


def test_every_object_is_detected_twice(curves):
    detections = np.add.reduceat(curves.detected.astype(int), curves.offsets[:-1])
    assert (detections >= 2).all()


def test_every_leaf_is_drawn_as_often_as_asked(curves):
    tree = Taxonomy.load("plasticc")
    leaves, count = np.unique(tree.labels(curves.label), return_counts=True)
    np.testing.assert_array_equal(leaves, tree.leaves)
    assert (count == 20).all()
    assert set(curves.label) == set(FORMULAE)


def test_the_same_seed_draws_the_same_light_curves():
    first, second = draw(2, seed=5), draw(2, seed=5)
    for name in ("object_id", "time", "band", "flux", "flux_err", "detected", "label"):
        np.testing.assert_array_equal(getattr(first, name), getattr(second, name))
    for name, values in first.context.items():
        np.testing.assert_array_equal(values, second.context[name])
    assert not np.array_equal(first.flux[:100], draw(2, seed=6).flux[:100])


def test_drawing_more_does_not_depend_on_the_other_objects():
    np.testing.assert_array_equal(draw(1, seed=5)[0].flux, draw(2, seed=5)[0].flux)


def test_only_galactic_objects_lack_a_redshift(curves):
    galactic = np.isin(curves.label, ["RR Lyrae", "EB", "Mira", "uLens", "M-dwarf Flare"])
    for name in ("redshift", "hostgal_specz", "hostgal_photoz", "hostgal_photoz_err"):
        np.testing.assert_array_equal(np.isnan(curves.context[name]), galactic)


def test_detections_set_in_around_a_signal_to_noise_of_six(curves):
    signal = np.abs(curves.flux / curves.flux_err)
    shares = [curves.detected[(low < signal) & (signal < high)].mean() for low, high in ((0, 3), (5.4, 6.4), (10, 1e9))]
    assert shares[0] == 0
    assert 0.4 < shares[1] < 0.6
    assert shares[2] > 0.98


def test_the_errors_describe_the_noise(curves):
    """Long before a kilonova nothing but noise is seen."""
    kilonovae = curves[curves.label == "KN"]
    quiet = np.abs(kilonovae.days_since_first_detection) > 60
    pull = (kilonovae.flux / kilonovae.flux_err)[quiet]
    assert pull.mean() == pytest.approx(0, abs=0.1)
    assert pull.std() == pytest.approx(1, abs=0.05)


def test_a_night_has_two_visits_in_different_bands(curves):
    one = curves[0]
    np.testing.assert_allclose(np.diff(one.time)[::2], PAIR, atol=1e-6)
    assert (one.band[::2] != one.band[1::2]).all()
    assert (np.diff(one.time)[1::2] > 0.5).all()


def test_fluxes_are_free_of_milky_way_dust(curves):
    assert curves.dereddened
    assert (curves.context["mwebv"] > 0).all()


def test_a_larger_tree_is_drawn_as_far_as_formulae_go():
    assert set(draw(1, tree="elasticc").label) == set(FORMULAE) - {"Mira"}


def test_a_tree_without_any_formula_is_refused(tmp_path):
    path = tmp_path / "other.toml"
    path.write_text('name = "other"\n[tree.Alert]\nComet = {}\nMeteor = {}\n')
    with pytest.raises(ValueError, match="no leaf of tree 'other' has a formula"):
        draw(1, tree=str(path))


def test_nothing_to_draw_is_refused():
    with pytest.raises(ValueError, match="n_per_class is 0"):
        draw(0)
