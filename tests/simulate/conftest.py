"""A sky to put sources on, template files, made up and real, and light curves to make alerts of."""

from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path

import numpy as np
import pytest

from telperion.lightcurves import LightCurves
from telperion.simulate.cadence import shipped_cadence
from telperion.simulate.library import library
from telperion.simulate.source import Sky


@pytest.fixture(scope="session")
def make_sky():
    cadence = shipped_cadence()

    def make(n, seed=0):
        places = Sky(
            cadence.ra, cadence.decl, np.full(len(cadence), 0.03), cadence.deep, cadence.offsets,
            cadence.time, cadence.band, cadence.depth,
        )  # fmt: skip
        return places.take(np.random.default_rng(seed).integers(0, 1000, n))

    return make


@pytest.fixture(scope="session", autouse=True)
def _own_cache(tmp_path_factory):
    """Grids of templates are kept in a folder of the tests, not in the user's."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))
        yield


@pytest.fixture(scope="session")
def made_up():
    """The module that writes template files."""
    spec = spec_from_file_location("made_up", Path(__file__).with_name("made_up.py"))
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="session")
def template_folder(tmp_path_factory, made_up):
    """A folder with made-up files of every kind."""
    folder = tmp_path_factory.mktemp("templates")
    made_up.write_all(folder)
    return folder


@pytest.fixture(scope="session")
def made_up_sources(template_folder):
    """Sources of made-up templates, by name."""
    return by_name(library(template_folder))


@pytest.fixture(scope="session")
def real_sources(lsst_data):
    """Sources of the literature's templates, by name."""
    if not (lsst_data / "sncosmo").is_dir() or not (lsst_data / "templates").is_dir():
        pytest.skip(f"no template files in {lsst_data}: it has no folders sncosmo and templates")
    return by_name(library(lsst_data))


@pytest.fixture
def crowded(rng):
    """Sixty objects, seen again within seconds, hours, days and years, some in several bands at one time."""
    n = 60
    steps = [rng.choice([0.0, 10.0, 39.0, 1800.0, 86_400.0, 3e6], rng.integers(0, 60)) for _ in range(n)]
    time = [
        60_000 + np.cumsum(np.append(rng.random(), step * rng.uniform(0.9, 1.1, step.size) / 86_400)) for step in steps
    ]
    code = np.repeat(np.arange(n), [t.size for t in time])
    when = np.concatenate(time)
    same = np.append(False, (np.diff(when) == 0) & (np.diff(code) == 0))
    band = np.zeros(when.size, dtype=np.int8)
    for row in range(when.size):
        band[row] = band[row - 1] + 1 if same[row] else rng.integers(0, 3)
    keep = band < 6
    code, when, band = code[keep], when[keep], band[keep]
    detected = rng.random(when.size) < 0.5
    detected[np.unique(code, return_index=True)[1][::3]] = True
    detected[[rng.choice(np.flatnonzero(code == k)) for k in range(n)]] = True
    context = {"ra": rng.uniform(0, 360, n), "decl": rng.uniform(-70, 10, n), "mwebv": rng.uniform(0, 0.5, n)}
    for name in ("redshift", "hostgal_photoz", "hostgal_snsep", "hostgal_ra", "hostgal_mag_y", "hostgal_ellipticity"):
        context[name] = np.where(rng.random(n) < 0.4, np.nan, rng.uniform(0.1, 0.9, n))
    context["mwebv"][rng.random(n) < 0.2] = np.nan
    return LightCurves.from_codes(
        code, when, band, rng.normal(0, 300, when.size), rng.uniform(10, 40, when.size), detected,
        objects=[f"object-{k}" for k in range(n)], context=context, label=rng.choice(["SNIa", "AGN", "KN"], n),
    )  # fmt: skip


def by_name(kinds):
    return {source.name: source for sources in kinds.values() for source in sources}
