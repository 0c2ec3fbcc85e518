"""How fast a sky of 100,000 objects is read, on one core: ``pytest benchmarks/test_portal.py --benchmark-only``.

Making the sky (`tests.portal.crowd`) takes half a minute and is timed by itself.
Seconds are those of the processor, since a page shall not fail for what else the machine does.
"""

import time
from pathlib import Path

import numpy as np
import pytest
from tests.portal.crowd import N, crowd, curves_of, write

from telperion.rank.plan import Observing
from telperion.serve.sky import FILE, Sky, Wanted
from telperion.serve.sky_sink import SkySink
from telperion.tonight import score_sky

pytestmark = pytest.mark.benchmark(timer=time.process_time)

ROWS, MANY = 30, 200
LONG = "999999999999999999"
"""The object that has been seen often: answers `MANY`, rows `MANY`."""


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    folder, rng = tmp_path_factory.mktemp("sky"), np.random.default_rng(0)
    sink, started = SkySink(folder), time.perf_counter()
    crowd(sink, ROWS, rng, N - 1)
    seen = curves_of(np.array([LONG]), MANY, rng)
    for k in range(1, MANY + 1):
        write(sink, seen.select_rows(np.arange(MANY) < k), rng)
    sink.flush(last=True)
    sink.close()
    took = time.perf_counter() - started
    size = (folder / FILE).stat().st_size / N
    print(f"\n{N:,} objects of {ROWS} rows and one answer written in {took:.0f} s, {size:,.0f} bytes an object")
    return folder


@pytest.fixture(scope="module")
def sky(folder) -> Sky:
    return Sky(folder)


WANTED = {
    "all": Wanted(),
    "newest": Wanted(sort="newest"),
    "surest": Wanted(sort="surest"),
    "rarest": Wanted(sort="rarest"),
    "node": Wanted(node="TDE"),
    "branch": Wanted(node="Transient", promised=True),
    "surest TDEs": Wanted(node="TDE", sort="surest"),
    "sure": Wanted(node="SN", least=0.9),
    "hardly any": Wanted(node="TDE", least=0.999),
    "young": Wanted(most_days=2),
    "text": Wanted(text="123"),
    "one": Wanted(text=LONG),
    "none": Wanted(text="no such object"),
}


def within(benchmark, milliseconds: float) -> None:
    assert 1e3 * benchmark.stats.stats.median < milliseconds


@pytest.mark.parametrize("name", WANTED)
def test_a_page(benchmark, sky, name):
    found = benchmark.pedantic(sky.objects, args=(WANTED[name],), rounds=20, warmup_rounds=2)
    assert len(found) == {"none": 0, "one": 1}.get(name, len(found))
    within(benchmark, 50)


@pytest.mark.parametrize("name", WANTED)
def test_counting(benchmark, sky, name):
    benchmark.pedantic(sky.count, args=(WANTED[name],), rounds=20, warmup_rounds=2)
    within(benchmark, 50)


@pytest.mark.parametrize("name", ["all", "surest", "node"])
def test_a_page_far_down(benchmark, sky, name):
    wanted = WANTED[name]
    deep = sky.objects(wanted, limit=min(20_000, sky.count(wanted) - 60))[-1]
    after = sky.cursor(deep, wanted)
    found = benchmark.pedantic(sky.objects, args=(wanted,), kwargs={"after": after}, rounds=20, warmup_rounds=2)
    assert len(found) == 50
    within(benchmark, 50)


def test_an_object(benchmark, sky):
    known = benchmark.pedantic(sky.object, args=(LONG,), rounds=50, warmup_rounds=5)
    assert (len(known.answers), known.light_curve.n_rows) == (MANY, MANY)
    within(benchmark, 20)


def test_what_changed(benchmark, sky):
    now = sky.version_now()
    _, names = benchmark.pedantic(sky.changed, args=(now - 10,), rounds=50, warmup_rounds=5)
    assert names == [LONG]
    within(benchmark, 20)


def test_the_version(benchmark, sky):
    assert benchmark.pedantic(sky.version_now, rounds=200, warmup_rounds=5) > 0
    within(benchmark, 1)


def test_scoring_tonight(benchmark, folder, sky):
    night = Observing(float(sky.latest_alert()), recent=1000.0)
    n = benchmark.pedantic(score_sky, args=(folder, night), rounds=1)
    assert n == N
    benchmark.extra_info["objects_per_second"] = round(N / benchmark.stats.stats.median)
