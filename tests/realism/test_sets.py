import numpy as np
import pytest

from telperion.realism.sets import FEWEST, comparable
from telperion.simulate.cadence import DEEP
from telperion.simulate.drawn import draw

NUMBERS = {"SNIa": "90", "AGN": "88", "EB": "16"}


def renamed(curves, names):
    return curves.with_label([names.get(str(label), str(label)) for label in curves.label])


def test_labels_of_a_data_set_are_mapped_to_leaves(halves):
    sets = comparable(halves[0], renamed(halves[1], NUMBERS))
    assert sorted(sets.classes) == ["AGN", "EB", "SNIa"]
    np.testing.assert_array_equal(sets.real.label, halves[1].label)


def test_models_of_elasticc_are_mapped_too(halves):
    sets = comparable(halves[0], renamed(halves[1], {"SNIa": "SNIa-SALT3", "AGN": "CLAGN"}))
    assert sorted(sets.classes) == ["AGN", "EB", "SNIa"]


def test_a_class_that_the_simulation_lacks_is_said():
    real = draw(FEWEST, seed=1)
    sets = comparable(real[real.label != "Mira"], real)
    assert "Mira" not in sets.classes
    assert len(sets.classes) == 13
    assert any(note.startswith("Mira is not compared: 0 simulated and 10 real") for note in sets.notes)


def test_too_few_objects_are_said_and_not_compared(halves):
    few = halves[1][(halves[1].label != "AGN") | (np.arange(len(halves[1])) < FEWEST - 1)]
    n = int((few.label == "AGN").sum())
    assert 0 < n < FEWEST
    sets = comparable(halves[0], few)
    assert set(sets.classes) == {"SNIa", "EB"}
    assert set(sets.real.label) == set(sets.simulated.label) == {"SNIa", "EB"}
    assert any(f"AGN is not compared: 35 simulated and {n} real" in note for note in sets.notes)


def test_objects_in_deep_fields_are_left_out_by_flag_or_by_position(halves):
    simulated, real = halves
    ddf = np.zeros(len(real))
    ddf[:7] = 1
    flagged = real.with_context({**real.context, "ddf": ddf})
    away = {name: values for name, values in simulated.context.items() if name != "ddf"}
    ra, decl = np.full(len(simulated), 200.0), np.full(len(simulated), -20.0)
    ra[:5], decl[:5] = DEEP[2] + [0.3, 0.4]
    sets = comparable(simulated.with_context({**away, "ra": ra, "decl": decl}), flagged)
    assert not set(flagged.object_id[:7]) & set(sets.real.object_id)
    assert set(sets.simulated.object_id) == set(simulated.object_id[5:])
    assert any("7 real objects in deep fields" in note for note in sets.notes)
    assert any("5 simulated objects in deep fields" in note for note in sets.notes)


def test_nothing_of_where_an_object_is_stays_in_the_context(halves):
    sets = comparable(*halves)
    assert not {"ra", "decl", "ddf", "hostgal_ra", "hostgal_dec"} & (sets.real.context.keys() | sets.simulated.context)
    assert sets.real.context.keys() == sets.simulated.context.keys()
    assert "hostgal_photoz" in sets.real.context


def test_context_of_one_side_only_is_left_out_and_said(halves):
    extra = halves[0].with_context({**halves[0].context, "hostgal_logmass": np.full(len(halves[0]), 10.0)})
    sets = comparable(extra, halves[1])
    assert "hostgal_logmass" not in sets.simulated.context
    assert any("only the simulated set has hostgal_logmass" in note for note in sets.notes)


def test_dust_is_taken_away(halves):
    dusty = halves[0]._with(dereddened=False)
    sets = comparable(dusty, halves[1])
    assert sets.simulated.dereddened
    np.testing.assert_allclose(sets.simulated.flux, dusty.deredden().flux)


def test_nothing_in_common_and_unknown_labels_are_refused(halves):
    with pytest.raises(ValueError, match="no class has 10 objects in both"):
        comparable(halves[0][halves[0].label == "EB"], halves[1][halves[1].label == "AGN"])
    with pytest.raises(ValueError, match="labels of the real set are of no tree"):
        comparable(halves[0], halves[1].with_label(np.full(len(halves[1]), "oak")))


def test_objects_without_label_or_detection_are_left_out_and_said(halves):
    label = halves[0].label.astype("<U20")
    label[:3] = ""
    never = halves[0].with_label(label).select_rows(np.ones(halves[0].n_rows, dtype=bool))
    dark = never._with(detected=never.detected & (never.object_index != 4))
    sets = comparable(dark, halves[1])
    assert len(sets.simulated) == len(halves[0]) - 4
    assert any("3 simulated objects without a leaf" in note for note in sets.notes)
    assert any("1 simulated objects without a detection" in note for note in sets.notes)
