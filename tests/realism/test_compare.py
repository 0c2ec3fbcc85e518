import numpy as np
import pytest

from telperion.encode.statistics import ANY_PHASE, statistics
from telperion.encode.view import keep_context, view
from telperion.formats import plasticc
from telperion.realism.compare import VIEWS, compare
from telperion.realism.sets import comparable
from telperion.realism.telling import tell
from telperion.realism.transfer import Transfer, confusions
from telperion.simulate.cadence import shipped_cadence
from telperion.simulate.kinds import KINDS
from telperion.simulate.survey import simulate_batch

pytest.importorskip("lightgbm")


@pytest.fixture(scope="module")
def found(halves):
    return compare(*halves, days=[8.0], seeds=[0, 1], per_class=24)


def test_a_set_against_itself_is_near_by_every_measure(found):
    assert len(found.transfers) == 2
    for one in found.transfers:
        gap = one.macro_f1("within real").mean() - one.macro_f1("simulated to real").mean()
        assert gap < 0.1
    for name in VIEWS:
        assert {one.label for one in found.tellings[name]} == {"SNIa", "AGN", "EB"}
        areas = [one.everything for one in found.tellings[name]]
        assert all(abs(area.auc - 0.5) < 4 * area.error for area in areas)
    far = [one.distance > one.limit for each in found.distributions for one in each.distances]
    assert np.mean(far) < 0.15


def test_no_more_objects_than_wanted_are_drawn(found):
    assert all(one.confusion["within real"].sum() == 2 * 3 * 24 for one in found.transfers)
    assert found.counts == dict.fromkeys(found.classes, (35, 35))


def test_one_class_alone_has_no_transfer_and_the_same_seed_gives_the_same(halves):
    alone = [half[half.label == "EB"] for half in halves]
    one, again = (compare(*alone, seeds=[0], per_class=12) for _ in range(2))
    assert one.transfers == []
    assert any("only one class is shared" in note for note in one.notes)
    assert one.tellings == again.tellings


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


def test_settings_out_of_range_are_refused(halves):
    with pytest.raises(ValueError, match="at least 10 objects a class"):
        compare(*halves, per_class=3)


def test_what_was_learnt_on_a_simulation_helps_on_plasticc(lsst_data):
    """Five classes that look different: chance is .2, always the same class .07."""
    if not (lsst_data / "plasticc").is_dir():
        pytest.skip("no PLAsTiCC among the research data")
    classes = ["SNIa", "SNII", "AGN", "KN", "EB"]
    simulated = simulate_batch(dict.fromkeys(classes, 60), KINDS, shipped_cadence(), (4, 0))
    whole = plasticc.read(lsst_data / "plasticc")
    shuffled = whole[np.random.default_rng(0).permutation(len(whole))]
    picked = np.concatenate([np.flatnonzero(shuffled.label == name)[:90] for name in ("90", "42", "88", "64", "16")])
    sets = comparable(simulated, shuffled[picked])
    assert set(sets.classes) == set(classes)
    assert any("in deep fields" in note for note in sets.notes)
    sides = (sets.simulated, sets.real)
    tables = [statistics(keep_context(view(side, 64.0, "alert"), "photoz"), ANY_PHASE) for side in sides]
    labels = [np.searchsorted(sorted(classes), side.label) for side in sides]
    confusion = confusions(tables[0].values, labels[0], tables[1].values, labels[1], 5, seed=0)
    one = Transfer(64.0, "photoz", tuple(sorted(classes)), {name: each[None] for name, each in confusion.items()})
    assert 0.5 < one.macro_f1("simulated to real")[0] < one.macro_f1("within real")[0]
    members = [np.flatnonzero(side.label == "SNII") for side in sides]
    told = tell("SNII", *(table.values[own] for table, own in zip(tables, members, strict=True)), tables[0].names)
    assert told.groups["cadence"].auc > 0.9  # other visits: one a night, every third night
