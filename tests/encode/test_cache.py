"""Statistics kept on disk: computed once, found by content, never mixed up."""

from dataclasses import replace

import numpy as np
import pytest

from telperion.encode import cache, statistics
from telperion.lightcurves import LightCurves
from telperion.simulate.drawn import draw

FAMILIES = ("brightness", "structure")


@pytest.fixture
def curves():
    return draw(n_per_class=2, seed=3)


@pytest.fixture
def computed(monkeypatch):
    """Names of the objects whose statistics are computed."""
    seen = []
    compute = statistics._compute
    monkeypatch.setattr(
        statistics, "_compute", lambda part, families: seen.extend(part.object_id) or compute(part, families)
    )
    return seen


def test_a_table_is_computed_once_whatever_the_selection(curves, computed, tmp_path):
    expected = statistics.statistics(curves, FAMILIES)
    computed.clear()
    with cache.kept(tmp_path):
        half = statistics.statistics(curves[::2], FAMILIES)
        whole = statistics.statistics(curves, FAMILIES)
        again = statistics.statistics(curves[::-1], FAMILIES)
    assert sorted(computed) == sorted(curves.object_id)
    assert whole.names == expected.names
    np.testing.assert_array_equal(whole.values, expected.values)
    np.testing.assert_array_equal(half.values, expected.values[::2])
    np.testing.assert_array_equal(again.values, expected.values[::-1])


def test_a_changed_flux_or_redshift_is_computed_anew(curves, computed, tmp_path):
    brighter = curves.with_context({**curves.context, "redshift": np.full(len(curves), 0.7)})
    with cache.kept(tmp_path):
        statistics.statistics(curves, FAMILIES)
        computed.clear()
        statistics.statistics(brighter, FAMILIES)
    assert sorted(computed) == sorted(curves.object_id)


def test_equal_objects_share_an_entry(curves, computed, tmp_path):
    with cache.kept(tmp_path):
        twins = replace(curves[:2], object_id=np.array(["a", "b"]))
        both = statistics.statistics(LightCurves.concatenate([twins, curves[:2]]), FAMILIES).values
    np.testing.assert_array_equal(both[:2], both[2:])
    assert len(computed) == 2


def test_other_families_and_other_code_have_other_tables(curves, computed, tmp_path, monkeypatch):
    with cache.kept(tmp_path):
        statistics.statistics(curves, FAMILIES)
        computed.clear()
        statistics.statistics(curves, FAMILIES[:1])
        monkeypatch.setattr(cache, "code", lambda: "another version")
        statistics.statistics(curves, FAMILIES)
    assert len(computed) == 2 * len(curves)


def test_nothing_is_kept_unless_asked_for(curves, tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    statistics.statistics(curves, FAMILIES)
    assert not any(tmp_path.iterdir())
    with cache.kept():
        statistics.statistics(curves, FAMILIES)
    assert any((tmp_path / "telperion" / "statistics").iterdir())
