import numpy as np
import pytest

from telperion.encode.statistics import ANY_PHASE, statistics
from telperion.encode.view import keep_context, view
from telperion.formats import plasticc
from telperion.realism.compare import VIEWS, compare
from telperion.realism.sets import comparable
from telperion.simulate.cadence import shipped_cadence
from telperion.simulate.kinds import KINDS
from telperion.simulate.survey import simulate_batch

pytest.importorskip("lightgbm")


@pytest.fixture(scope="module")
def found(halves):
    return compare(*halves, days=[8.0], seeds=[0, 1], per_class=30)


def test_a_set_against_itself_is_near_by_every_measure(found):
    assert len(found.transfers) == 2
    for one in found.transfers:
        gap = one.macro_f1("within real").mean() - one.macro_f1("simulated to real").mean()
        assert gap < 0.1
    for view_name in VIEWS:
        assert {one.label for one in found.tellings[view_name]} == {"SNIa", "AGN", "EB"}
        areas = [one.everything for one in found.tellings[view_name]]
        assert all(abs(area.auc - 0.5) < 4 * area.error for area in areas)
        assert abs(np.mean([area.auc for area in areas]) - 0.5) < 0.1
    far = [one.distance > one.limit for each in found.distributions for one in each.distances]
    assert np.mean(far) < 0.15


def test_no_more_objects_than_wanted_are_drawn(found):
    assert all(one.confusion["within real"].sum() == 2 * 3 * 30 for one in found.transfers)
    assert found.counts == {name: (35, 35) for name in found.classes}


def test_the_same_seeds_give_the_same(halves, found):
    again = compare(*halves, days=[8.0], seeds=[0, 1], per_class=30)
    for a, b in zip(found.transfers, again.transfers, strict=True):
        np.testing.assert_array_equal(a.confusion["simulated to real"], b.confusion["simulated to real"])
    assert again.tellings == found.tellings


def test_neither_names_nor_places_nor_the_calendar_are_features(many, rng):
    moved = many._with(
        object_id=np.array([f"other-{k}" for k in range(len(many))]),
        time=many.time + 4096.0,  # exactly, in floating point
        label=many.label,
        context={
            **many.context,
            "ra": rng.uniform(0, 360, len(many)),
            "decl": rng.uniform(-60, 0, len(many)),
            "hostgal_specz": rng.uniform(0, 1, len(many)),
        },
    )
    tables = []
    for curves in (many, moved):
        sets = comparable(many, curves)
        tables.append(statistics(keep_context(view(sets.real, 64.0, "alert"), "photoz"), ANY_PHASE).values)
    np.testing.assert_allclose(*tables, rtol=1e-4, atol=1e-4)


def test_one_class_alone_has_no_transfer(halves):
    alone = [half[half.label == "EB"] for half in halves]
    one = compare(*alone, seeds=[0], per_class=20)
    assert one.transfers == []
    assert any("only one class is shared" in note for note in one.notes)


def test_settings_out_of_range_are_refused(halves):
    with pytest.raises(ValueError, match="at least 10 objects a class"):
        compare(*halves, per_class=3)


def test_what_was_learnt_on_a_simulation_helps_on_plasticc(lsst_data):
    """Five classes that look different: chance is .2, always the same class .07."""
    if not (lsst_data / "plasticc").is_dir():
        pytest.skip("no PLAsTiCC among the research data")
    classes = ["SNIa", "SNII", "AGN", "KN", "EB"]
    wanted = dict.fromkeys(classes, 60)
    simulated = simulate_batch(wanted, KINDS, shipped_cadence(), (4, 0))
    whole = plasticc.read(lsst_data / "plasticc")
    real = whole[np.isin(whole.label, ["90", "42", "88", "64", "16"])]
    found = compare(simulated, real, days=[64.0], seeds=[0], per_class=60)
    photoz, none = found.transfers
    assert (photoz.context, none.context) == ("photoz", "none")
    assert photoz.macro_f1("simulated to real")[0] > 0.55
    assert none.macro_f1("simulated to real")[0] > 0.4
    assert photoz.macro_f1("within real")[0] > photoz.macro_f1("simulated to real")[0]
    cadence = [one.groups["cadence"].auc for one in found.tellings[VIEWS[0]]]
    assert min(cadence) > 0.9  # other visits: one a night, and every third one
    assert any("in deep fields" in note for note in found.notes)
