"""Skies with names that nobody should trust, and portals that show them: what tests of the portal share."""

import queue
import threading
from contextlib import contextmanager
from pathlib import Path

import numpy as np

import telperion
from telperion.lightcurves import LightCurves
from telperion.serve.sky_sink import write_sky
from telperion.serve.stream import provenance

HOSTILE = (
    "<script>window.hacked=1</script>",
    '"><img src=x onerror=window.hacked=1>',
    "</script><script>window.hacked=1</script>",
    "' onfocus=window.hacked=1 autofocus='",
    "../../../etc/passwd",
    "a/b?c=d&e=f#g",
    "{{7*7}}${7*7}",
    "'; DROP TABLE objects; --",
    "javascript:window.hacked=1",
    "%2e%2e%2f%00",
    "=cmd|'/c calc'!A1",
    "line\nbreak\r\nData: no",
    "\u202egnp.exe",
)
ORIGIN = "http://127.0.0.1:8765"
BROWSER = [
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync",
]  # fmt: skip


def named(curves: LightCurves, names) -> LightCurves:
    """Give light curves other names, and positions."""
    context = dict(curves.context) | {"ra": np.linspace(0, 350, len(curves)), "decl": np.linspace(-70, 10, len(curves))}
    columns = (curves.time, curves.band, curves.flux, curves.flux_err, curves.detected)
    return LightCurves(np.array(names), curves.offsets, *columns, context, dereddened=curves.dereddened)


def write(folder: Path, curves: LightCurves, days=(0.0, 2.0, 16.0, 64.0)) -> None:
    """Write light curves into a sky."""
    classifier = telperion.load("elasticc")
    write_sky(folder, provenance(classifier, "elasticc"), classifier, curves, days=days)


@contextmanager
def client_of(sky, model, **settings):
    from fastapi.testclient import TestClient

    from telperion.portal.app import create_app
    from telperion.portal.settings import Settings

    app = create_app(Settings(**({"rate": 0.0} | settings)), model, sky)
    with TestClient(app, base_url=ORIGIN, follow_redirects=False, raise_server_exceptions=True) as made:
        yield made


@contextmanager
def serving(sky, model, **settings):
    """Serve the portal at a free port, or the one that is given; gives its address."""
    from telperion.portal.app import server
    from telperion.portal.settings import Settings

    told = queue.Queue()
    made = server(Settings(**({"rate": 0.0, "port": 0} | settings)), model, sky, told.put)
    thread = threading.Thread(target=made.run, daemon=True)
    thread.start()
    try:
        yield told.get(timeout=30)
    finally:
        made.should_exit = True
        thread.join(10)
        assert not thread.is_alive()


@contextmanager
def quiet(context):
    """Open a page; fail if it logs an error, throws, or breaks its content security policy."""
    made, wrong = context.new_page(), []
    made.on("console", lambda message: wrong.append(message.text) if message.type == "error" else None)
    made.on("pageerror", lambda error: wrong.append(str(error)))
    made.add_init_script("addEventListener('securitypolicyviolation', e => console.error('CSP', e.violatedDirective))")
    made.expected = ()
    yield made
    assert made.evaluate("window.hacked") is None
    assert [text for text in wrong if not any(each in text for each in made.expected)] == []
