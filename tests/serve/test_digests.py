import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from telperion.lightcurves import LightCurves
from telperion.serve.digests import REPLAY, WINDOW, context_digests, resume, row_days, row_digests


def slowly(stored, shown, alert_day):
    """`resume` for one object as plain loops: stored rows as (digest, day), shown ones as digests."""
    old = 0
    while old < len(stored) and alert_day - stored[old][1] >= WINDOW - 1:
        old += 1
    for start in range(old + 1):
        rest = [digest for digest, _ in stored[start:]]
        if not rest and start == old:
            return 0
        if rest and shown and rest[0] == shown[0]:
            return len(rest) if shown[: len(rest)] == rest else REPLAY
    return REPLAY


@st.composite
def histories(draw):
    n = draw(st.integers(0, 6))
    days = sorted(draw(st.lists(st.integers(60_000, 60_800), min_size=n, max_size=n)))
    digests = draw(st.lists(st.integers(1, 9), min_size=n, max_size=n, unique=True))
    kept = digests[draw(st.integers(0, n)) :]
    if kept and draw(st.booleans()):
        kept[draw(st.integers(0, len(kept) - 1))] = draw(st.integers(1, 12))
    shown = kept + draw(st.lists(st.integers(20, 29), max_size=3))
    return list(zip(digests, days, strict=True)), shown, draw(st.integers(60_400, 61_300))


@given(st.lists(histories(), max_size=5))
def test_states_go_on_where_a_plain_comparison_says_so(cases):
    offsets = np.cumsum([0, *(len(stored) for stored, _, _ in cases)])
    places = np.cumsum([0, *(len(shown) for _, shown, _ in cases)])
    digests = np.array([digest for stored, _, _ in cases for digest, _ in stored], dtype=np.uint32)
    days = np.array([day % 2**16 for stored, _, _ in cases for _, day in stored], dtype=np.uint16)
    seen = np.array([digest for _, shown, _ in cases for digest in shown], dtype=np.uint32)
    times = np.array([day + 0.3 for _, _, day in cases])
    found = resume((digests, days, offsets), (seen, places), times)
    assert found.tolist() == [slowly(*case) for case in cases]


def table(**changes):
    columns = {"time": [1.0, 2.0], "band": [1, 2], "flux": [5.0, 6.0], "flux_err": [1.0, 1.0], "detected": [1, 0]}
    columns |= changes
    columns["detected"] = np.array(columns["detected"], dtype=bool)
    return LightCurves(["a"], [0, 2], *columns.values())


@pytest.mark.parametrize(
    "change",
    [
        {"time": [1.0, 2.0 + 1e-9]},
        {"band": [1, 3]},
        {"flux": [5.0, -6.0]},
        {"flux_err": [1.0, 1.5]},
        {"detected": [1, 1]},
    ],
)
def test_a_row_that_changes_at_all_has_another_digest(change):
    before, after = row_digests(table()), row_digests(table(**change))
    assert before[0] == after[0]
    assert before[1] != after[1]


def test_digests_of_rows_hardly_ever_meet(rng):
    n = 20_000
    curves = LightCurves(
        ["a"], [0, n], np.sort(rng.uniform(60_000, 60_300, n)), rng.integers(0, 6, n), rng.normal(0, 500, n),
        rng.uniform(20, 90, n), rng.random(n) < 0.5,
    )  # fmt: skip
    assert n - np.unique(row_digests(curves)).size <= 3  # 0.05 are expected
    assert (row_days(curves) == curves.time.astype(int)).all()


def test_context_has_another_digest_when_a_value_or_a_name_changes():
    curves = table()
    known = [
        context_digests(curves.with_context(context))[0]
        for context in (
            {}, {"hostgal_photoz": [0.5]}, {"hostgal_photoz": [np.nan]}, {"hostgal_photoz": [0.6]}, {"mwebv": [0.5]},
            {"hostgal_photoz": [0.5], "mwebv": [0.0]},
        )
    ]  # fmt: skip
    assert np.unique(known).size == len(known)
    moved = context_digests(curves.with_context({"ra": [10.0], "decl": [-1.0]}))[0]
    assert moved == context_digests(curves.with_context({"ra": [10.1], "decl": [-1.0]}))[0]
    assert moved == known[0]
