from dataclasses import dataclass, replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from telperion.classifier import Classifier
from telperion.lightcurves import LightCurves, RepairWarning
from telperion.rank.plan import (
    BEYOND,
    NO_BRIGHTNESS,
    NO_PLACE,
    NOT_LIVE,
    NOT_UP,
    PLANNED,
    TOO_FAINT,
    Observing,
    greedy,
    rank,
)
from telperion.rank.telescope import Telescope
from telperion.rank.visibility import SITES
from telperion.taxonomy import Taxonomy

TREE = Taxonomy("toy", {"Alert": {"SN": {"SNIa": {}, "SNII": {}}, "TDE": {}}})
NIGHT = 61_000.0
COSTS = st.lists(st.tuples(st.floats(0, 5), st.floats(0.05, 3)), min_size=1, max_size=9)


@dataclass
class Told:
    """A model that says of each object what its context tells it to."""

    tree: Taxonomy = TREE
    steppable: bool = False

    @property
    def mix(self) -> np.ndarray:
        return np.ones(3)

    def predict(self, light_curves: LightCurves) -> np.ndarray:
        tde = light_curves.context.get("said", np.full(len(light_curves), 0.4))
        return TREE.from_leaves(np.column_stack([tde, (1 - tde) * 0.75, (1 - tde) * 0.25]).astype(np.float32))


CLASSIFIER = Classifier(Told(), "told")


def told(curves: LightCurves, tde) -> LightCurves:
    return curves.with_context({**curves.context, "said": np.broadcast_to(tde, len(curves))})


def by_name(plan) -> dict:
    return {row["object_id"]: row for row in plan.to_pylist()}


@settings(deadline=None)
@given(COSTS, st.floats(0, 8))
def test_a_plan_keeps_the_hours_and_leaves_none_that_something_fits_into(items, hours):
    worth, cost = np.array(items).T
    order, chosen = greedy(worth / cost, cost, hours)
    assert sorted(order) == list(range(len(items)))
    assert cost[chosen].sum() <= hours + 1e-9
    left = hours - cost[chosen].sum()
    assert (cost[~chosen & (worth / cost > 0)] > left - 1e-9).all()


@settings(deadline=None)
@given(COSTS, st.floats(0, 8))
def test_a_plan_is_within_one_object_of_the_best_there_is(items, hours):
    worth, cost = np.array(items).T
    chosen = greedy(worth / cost, cost, hours)[1]
    subsets = (np.arange(2 ** len(items))[:, None] >> np.arange(len(items))) & 1
    best = (subsets @ worth)[subsets @ cost <= hours].max()
    assert worth[chosen].sum() >= best - worth.max() - 1e-9


def test_the_likelier_the_brighter_and_the_higher_come_first(lines):
    parts = [
        lines([0.0], peak=20.0),
        lines([0.0], peak=20.0),
        lines([0.0], peak=20.6),
        lines([0.0], peak=20.0, dec=-75),
    ]
    names = ["likely", "unlikely", "faint", "low"]
    curves = LightCurves.concatenate([replace(part, object_id=[name]) for part, name in zip(parts, names, strict=True)])
    plan = rank(CLASSIFIER, told(curves, [0.8, 0.3, 0.8, 0.8]), Observing(NIGHT, sought={"TDE": 1.0}))
    row = by_name(plan)
    assert plan["object_id"][0].as_py() == "likely"
    assert row["likely"]["TDE"] == pytest.approx(0.8)
    assert row["likely"]["score"] == pytest.approx(row["unlikely"]["score"] * 8 / 3, rel=0.1)
    assert row["likely"]["score"] > row["low"]["score"]
    assert row["likely"]["score"] > row["faint"]["score"]
    assert row["faint"]["exposure_minutes"] > row["likely"]["exposure_minutes"]


def test_a_score_is_worth_and_chance_for_the_time(lines):
    plan = rank(CLASSIFIER, told(lines([0.0, 0.02]), [0.5, 0.7]), Observing(NIGHT, sought={"TDE": 2.0}))
    for row in plan.to_pylist():
        assert row["value"] == pytest.approx(2 * row["TDE"])
        assert row["hours"] == pytest.approx((row["exposure_minutes"] + 10) / 60)
        assert row["score"] == pytest.approx(row["value"] * row["success"] / row["hours"])
        assert row["bits_per_hour"] == pytest.approx(row["information"] * row["success"] / row["hours"])
        assert row["up_from"] < row["best_time"] < row["up_until"]


def test_the_hours_are_given_away_in_the_order_of_the_scores(lines):
    curves = told(lines(np.zeros(30), peak=20.0), np.linspace(0.01, 0.99, 30))
    plan = rank(CLASSIFIER, curves, Observing(NIGHT, hours=2.0, sought={"TDE": 1.0}))
    planned = [status == PLANNED for status in plan["status"].to_pylist()]
    n = sum(planned)
    assert 0 < n < 30
    assert planned == [True] * n + [False] * (30 - n)
    assert plan["object_id"].to_pylist()[:n] == [f"o{29 - k}" for k in range(n)]
    assert plan["total_hours"][n - 1].as_py() == pytest.approx(sum(plan["hours"].to_pylist()[:n]))
    assert plan["total_hours"][n - 1].as_py() <= 2
    assert set(plan["status"].to_pylist()[n:]) == {BEYOND}


def test_nothing_after_nightfall_changes_a_plan(lines):
    curves = lines([0.0, 0.05, -0.05])
    night = Observing(NIGHT - 10, sought={"TDE": 1.0})
    spoilt = replace(curves, flux=np.where(curves.time > NIGHT - 9.6, 1e7, curves.flux))
    assert rank(CLASSIFIER, spoilt, night).equals(rank(CLASSIFIER, curves, night))
    assert rank(CLASSIFIER, curves.between(0, NIGHT - 9.6), night).equals(rank(CLASSIFIER, curves, night))


def test_every_object_is_in_the_table_and_says_why_it_is_not_planned(lines):
    rows = {
        NOT_UP: lines([0.0], dec=80.0), TOO_FAINT: lines([0.0], peak=25.0), NO_PLACE: lines([0.0], ra=np.nan),
        NOT_LIVE: replace(lines([0.0]), time=lines([0.0]).time - 100), PLANNED: lines([0.0]),
        NO_BRIGHTNESS: lines([0.0], error=0.5),
    }  # fmt: skip
    curves = LightCurves.concatenate([replace(part, object_id=[name]) for name, part in rows.items()])
    plan = rank(CLASSIFIER, curves, Observing(NIGHT))
    assert {row["object_id"]: row["status"] for row in plan.to_pylist()} == {name: name for name in rows}


def test_without_live_objects_the_plan_is_empty_but_whole(lines):
    plan = rank(CLASSIFIER, lines([0.0, 0.1]), Observing(NIGHT + 500, sought={"TDE": 1.0}))
    assert plan["status"].to_pylist() == [NOT_LIVE] * 2
    assert "TDE" in plan.column_names


def test_a_class_mix_moves_probabilities(lines):
    observing = Observing(NIGHT, sought={"TDE": 1.0})
    plan = rank(CLASSIFIER, lines([0.0]), observing, prior=[0.1, 1, 1])
    assert plan["TDE"][0].as_py() < rank(CLASSIFIER, lines([0.0]), observing)["TDE"][0].as_py()


def test_what_cannot_be_ranked_is_refused(lines):
    curves = lines([0.0])
    with pytest.raises(ValueError, match="the context lacks ra and decl"):
        rank(CLASSIFIER, curves.with_context({}), Observing(NIGHT))
    with pytest.raises(KeyError, match="perhaps 'TDE'"):
        rank(CLASSIFIER, curves, Observing(NIGHT, sought={"TDEs": 1.0}))


@pytest.mark.parametrize("wrong", [{"hours": -1}, {"airmass": 0.5}, {"moon": np.nan}, {"recent": np.inf}])
def test_impossible_nights_are_refused(wrong):
    with pytest.raises(ValueError, match=f"{next(iter(wrong))} is "):
        Observing(NIGHT, **wrong)


def test_a_greater_telescope_takes_more(lines):
    curves = lines(np.zeros(20), peak=21.0)
    counts = []
    for limit in (21.0, 22.0, 23.0):
        plan = rank(CLASSIFIER, curves, Observing(NIGHT, SITES["paranal"], Telescope(limit), hours=3))
        counts.append(plan["status"].to_pylist().count(PLANNED))
    assert counts[0] < counts[1] < counts[2]


def test_alerts_without_dust_are_ranked_with_a_warning(lines):
    curves, observing = lines([0.0, 0.1]), Observing(NIGHT, sought={"TDE": 1.0})
    bare = curves.with_context({name: curves.context[name] for name in ("ra", "decl")})
    with pytest.warns(RepairWarning, match="unknown for 2 objects, first 'o0'"):
        plan = rank(CLASSIFIER, bare, observing)
    assert plan.equals(rank(CLASSIFIER, curves, observing))
