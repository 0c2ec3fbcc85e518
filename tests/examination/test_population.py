"""Every object is counted once, where it belongs."""

import numpy as np
import pytest

from telperion.examination.population import class_counts, deep_fields, redshifts, separations
from telperion.lightcurves import LightCurves


@pytest.fixture
def people(toy):
    """Six objects: five with leaves as labels, one supernova of unknown type; the first lies in COSMOS."""
    names = ["SNIa", "SNIa", "SNII", "EB", "AGN", "SN"]
    context = {
        "ra": [150.1, 20.0, 20.0, 20.0, 20.0, 20.0],
        "decl": [2.2, -30.0, -30.0, -30.0, -30.0, -30.0],
        "redshift": [0.3, np.nan, 0.2, 0.0, np.nan, 0.4],
        "hostgal_photoz": [0.31, 0.5, np.nan, np.nan, np.nan, 0.4],
        "hostgal_snsep": [1.0, np.nan, 0.2, np.nan, 0.01, 0.3],
    }
    curves = LightCurves(list("abcdef"), [0] * 7, [], [], [], [], [], context, names)
    return curves, toy.labels(names)


def test_every_labelled_object_is_counted_once(people, toy):
    count = class_counts(people[1], toy)
    assert count == {"SN": 1, "AGN": 1, "EB": 1, "SNIa": 2, "SNII": 1}
    assert class_counts(np.array([-1, -1]), toy) == {"AGN": 0, "EB": 0, "SNIa": 0, "SNII": 0}


def test_deep_fields_are_found_by_position(people):
    assert deep_fields(people[0]).tolist() == [True, False, False, False, False, False]


def test_redshifts_prefer_the_best_known_and_leave_out_the_milky_way(people, toy):
    found = redshifts(*people, toy)
    assert list(found) == ["SNIa", "SNII"]
    assert (found["SNIa"].deep.tolist(), found["SNIa"].wide.tolist(), found["SNIa"].unknown) == ([0.3], [0.5], 0)
    assert found["SNII"].all.tolist() == [0.2]


def test_separations_count_what_is_unknown(people, toy):
    found = separations(*people, toy)
    assert list(found) == ["AGN", "SNIa", "SNII"]
    assert (found["SNIa"].arcsec.tolist(), found["SNIa"].unknown) == ([1.0], 1)


def test_a_set_without_context_has_neither(people, toy):
    bare, labels = people[0].with_context({}), people[1]
    assert redshifts(bare, labels, toy) == separations(bare, labels, toy) == {}
    assert not deep_fields(bare).any()
