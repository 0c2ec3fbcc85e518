"""The order of tonight, worked out anew every few minutes by a process beside the portal, which it does not slow."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

_CODE = """
import sys
from telperion.rank.visibility import site
from telperion.serve.sky import Sky
from telperion.tonight import score_sky, usual
folder, place = sys.argv[1:]
score_sky(folder, usual(Sky(folder), site(place)))
"""
_LONGEST = 3600.0


class Scoring:
    """Has a sky scored at once and then every so often, until it is stopped.

    Parameters
    ----------
    folder : path
        Of the sky, which must be writable.
    minutes : float
        Between the end of one scoring and the next.
    site : str
        As `telperion.rank.visibility.site` reads it.
    wrong : callable
        Is told why a scoring failed; after that there is none.
    """

    def __init__(self, folder: Path, minutes: float, site: str, wrong: Callable[[str], None]) -> None:
        self._command = [sys.executable, "-c", _CODE, str(folder), site]
        self._seconds, self._wrong = 60 * minutes, wrong
        self._over = threading.Event()
        self._process: subprocess.Popen[bytes] | None = None
        self._thread = threading.Thread(target=self._run, name="telperion-scoring", daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stop(self) -> None:
        """End it, the process that is at work too: what it has not written, the next one writes."""
        self._over.set()
        if (process := self._process) is not None and process.poll() is None:
            process.terminate()
        self._thread.join(10)

    def _run(self) -> None:
        while not self._over.is_set():
            self._process = subprocess.Popen(self._command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
            try:
                _, said = self._process.communicate(timeout=_LONGEST)
            except subprocess.TimeoutExpired:
                self._process.kill()
                _, said = self._process.communicate()
            if self._process.returncode and not self._over.is_set():
                lines = said.decode(errors="replace").strip().splitlines()
                self._wrong(lines[-1] if lines else f"status {self._process.returncode}")
                return
            self._over.wait(self._seconds)
