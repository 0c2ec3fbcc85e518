"""A sky to put sources on, and template files, made up and real."""

from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path

import numpy as np
import pytest

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


def by_name(kinds):
    return {source.name: source for sources in kinds.values() for source in sources}
