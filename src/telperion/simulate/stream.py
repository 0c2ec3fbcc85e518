"""`Stream`: a simulated survey as a training reads it, other light curves in each epoch."""

from __future__ import annotations

import multiprocessing
import signal
from multiprocessing.process import BaseProcess

from telperion.lightcurves import LightCurves
from telperion.processes import processes
from telperion.simulate.save import Survey


class Stream:
    """A survey read epoch by epoch, from its start again when it is used up.

    What an epoch needs and is not there yet is simulated, and the next epoch's light curves in a process beside the
    training: the training begins before the survey is complete, and what is simulated once is kept. Of several
    processes that train together (`telperion.processes`) each simulates its share.

    Parameters
    ----------
    survey : Survey
    size : int
        Light curves of an epoch, to the nearest number of whole parts.
    ahead : bool
        Whether another process simulates the light curves of the next epoch meanwhile.

    Attributes
    ----------
    size : int
        Light curves of an epoch: exactly for the first one, nearly for all.
    counts : mapping of str to int
        Light curves of each class in the whole survey.
    identity : str
        What makes a stream the same stream.
    """

    def __init__(self, survey: Survey, size: int, *, ahead: bool = True) -> None:
        if not 0 < size <= sum(survey.sizes):
            raise ValueError(f"an epoch of {size:,} light curves, expected 1 to {sum(survey.sizes):,}")
        self.survey, self.counts = survey, survey.counts
        self._n_parts, self._ahead = max(round(size / survey.sizes[0]), 1), ahead
        self._process: BaseProcess | None = None
        self.size = sum(survey.sizes[: self._n_parts])
        names = {label: [source.name for source in survey.kinds[label]] for label in survey.counts}
        self.identity = repr((self.counts, names, survey.seed, survey.rules, self._n_parts))

    def epoch(self, number: int) -> LightCurves:
        """Give the light curves of an epoch; the same ones whenever it is asked for."""
        if self._process is not None:
            self._process.join()
        parts, together = self._parts(number), processes()
        for _ in self.survey.make(together.share(parts)):
            pass
        together.wait()
        curves = self.survey.read(parts)
        needed = together.share(self._parts(number + 1))
        if self._ahead and not all(self.survey.path(part).is_file() for part in needed):
            context = multiprocessing.get_context("forkserver")
            self._process = context.Process(target=_make, args=(self.survey, needed), daemon=True)
            self._process.start()
        return curves

    def _parts(self, number: int) -> list[int]:
        return [(number * self._n_parts + k) % len(self.survey) for k in range(self._n_parts)]


def _make(survey: Survey, parts: list[int]) -> None:
    """Simulate parts in a process of its own, which leaves Ctrl-C to the one that waits for it.

    Once that one is gone, were it killed, it ends after the part in hand.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    parent = multiprocessing.parent_process()  # not os.getppid(): that is the fork server, which may live on
    for _ in survey.make(parts):
        if parent is not None and not parent.is_alive():
            return
