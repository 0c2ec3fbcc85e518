"""The portal with its sky, and a browser."""

import shutil
from pathlib import Path

import pytest
from tests.portal.portals import BROWSER, HOSTILE, client_of, named, quiet, serving, write

from telperion.serve.sky import Sky
from telperion.simulate.drawn import draw

pytest.importorskip("fastapi", reason="the portal needs telperion[web]")


@pytest.fixture(scope="session")
def sky_folder(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("portal-sky")
    curves = draw(n_per_class=5, seed=11)
    plain = [f"obj-{k:03d}" for k in range(len(curves) - len(HOSTILE))]
    write(folder, named(curves, [*HOSTILE, *plain]))
    return folder


@pytest.fixture(scope="session")
def model():
    from telperion.portal.known import Model

    return Model("elasticc")


@pytest.fixture
def client(sky_folder, model):
    """Ask the portal without a network."""
    pytest.importorskip("httpx", reason="asking the portal needs httpx")
    with client_of(Sky(sky_folder), model) as made:
        yield made


@pytest.fixture(scope="session")
def address(sky_folder, model):
    with serving(Sky(sky_folder), model) as found:
        yield found


@pytest.fixture(scope="session")
def chromium():
    """Debian's or anybody's Chromium, driven by Playwright."""
    api = pytest.importorskip("playwright.sync_api", reason="browser tests need playwright")
    path = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    if path is None:
        pytest.skip("browser tests need Chromium: apt install chromium")
    with api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=BROWSER)
        yield browser
        browser.close()


@pytest.fixture
def page(chromium):
    """A page that fails the test if anything goes wrong in it."""
    context = chromium.new_context(viewport={"width": 1440, "height": 900})
    with quiet(context) as made:
        yield made
    context.close()
