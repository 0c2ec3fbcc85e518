"""`Trials`: a study of Optuna's, worked on by one process or by several that know each other by its store alone.

The store is a journal (a file of JSON lines, locked without fcntl, so that it may lie on NFS) or a database. Nothing
in it is read by pickle; Optuna's journals in Redis, which are, are not offered.
"""

from __future__ import annotations

import fcntl
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

FREE_TRIALS = 5
"""Trials that are drawn at random and never cut short, before the estimators take over."""

BEAT, SILENCE = 20.0, 180.0
"""Seconds between the signs of life of a trial in a shared store, and without any until its process counts as dead."""

LOOK = 1.0
"""Seconds between looks at what the others do, where all that is left to do is under way."""

_ALIVE, _SETTLED = "alive", "settled"
_ATTEMPTS = 5


class Trials:
    """Trials of settings, counted over all processes that share the store; what was begun is taken up again.

    Parameters
    ----------
    store : str or path
        The file of a journal, made if absent, or with ``://`` the URL of a database.
    name : str
        Of the study in it.
    total : int
        Trials wanted.
    own : mapping of str to number
        The settings that are tried first.
    seed : int
        The n-th trial is drawn by ``1000 * seed + n``, whoever draws it and whether or not the study was killed before.
    shared : bool
        Whether other processes may be at work on it. If not, what is found under way is of one that was killed.

    Raises
    ------
    ModuleNotFoundError
        Optuna is not installed.
    ValueError
        The address is none of a journal or a database.
    OSError
        The database cannot be opened.
    """

    def __init__(
        self, store: str | Path, name: str, *, total: int, own: Mapping[str, float], seed: int, shared: bool
    ) -> None:
        try:
            import optuna
        except ModuleNotFoundError as error:  # an extra
            raise ModuleNotFoundError("tuning needs Optuna: pip install 'telperion[tune]'") from error
        optuna.logging.set_verbosity(optuna.logging.WARNING)
        self.total, self._seed, self._shared = total, seed, shared
        self._heard: dict[int, tuple[int, float]] = {}
        storage, pruner = _opened(store), optuna.pruners.MedianPruner(n_startup_trials=FREE_TRIALS)
        patience = 0.0
        try:
            self.study = optuna.create_study(storage=storage, study_name=name, direction="maximize", pruner=pruner)
        except optuna.exceptions.DuplicatedStudyError:
            self.study = optuna.load_study(storage=storage, study_name=name, pruner=pruner)
            patience = 5.0 * shared  # who has made it is about to say what is tried first
        began = time.monotonic()
        while not self.study.get_trials(deepcopy=False):
            if time.monotonic() - began >= patience:
                self.study.enqueue_trial(dict(own))
            else:
                time.sleep(0.05)
        if not shared:
            for each in self._counted():
                if each.state.name == "RUNNING":
                    self._give_up(each)

    @property
    def finished(self) -> int:
        """How many are done."""
        return sum(each.state.is_finished() for each in self._counted())

    def take(self, ends: float) -> Any:
        """Give the next trial to be done (`optuna.Trial`), or None when all are and nobody is at work any more.

        Parameters
        ----------
        ends : float, s
            By `time.monotonic`: after it no trial begins, once one is finished.
        """
        import optuna

        while _SETTLED not in self.study.user_attrs or self.study.user_attrs[_SETTLED][0] != self.total:
            counted = self._counted()
            running = [each for each in counted if not each.state.is_finished()]
            late = len(counted) > len(running) and time.monotonic() > ends
            if len(counted) - len(running) >= self.total or (late and not running):
                return None
            if len(counted) < self.total and not late:
                trial = self.study.ask()
                before = sum(each.number < trial.number for each in self._counted())
                if before < self.total:
                    sampler = optuna.samplers.TPESampler(seed=1000 * self._seed + before, n_startup_trials=FREE_TRIALS)
                    self.study.sampler = sampler
                    return trial
                self._tell(trial.number, "FAIL")  # somebody was faster
            for each in running:
                self._listen(each)
            if len(counted) >= self.total or late:
                time.sleep(LOOK)
        return None

    @contextmanager
    def at_work(self, trial: Any) -> Iterator[None]:
        """Give signs of life while a trial is worked on; one that is broken off is put back for whoever comes next."""
        import optuna

        done = threading.Event()

        def beat() -> None:
            count = 0
            while not done.wait(BEAT):
                count += 1
                try:
                    trial.set_user_attr(_ALIVE, count)
                except optuna.exceptions.UpdateFinishedTrialError:  # taken for dead: another process has it now
                    return

        thread = threading.Thread(target=beat, daemon=True)
        if self._shared:
            thread.start()
        try:
            yield
        except optuna.exceptions.UpdateFinishedTrialError:
            pass
        except BaseException:
            self._give_up(trial)
            raise
        finally:
            done.set()
            if self._shared:
                thread.join()

    def finish(self, trial: Any, value: float | None) -> None:
        """Write down what a trial is worth; None of one that was cut short."""
        self._tell(trial.number, "PRUNED" if value is None else "COMPLETE", value)

    def best(self, folder: Path) -> dict[str, Any]:
        """Give the best settings; once asked for, the same to all who ask with as many trials.

        Parameters
        ----------
        folder : path
            Common to processes that write into one folder.
        """
        with one_at_a_time(folder):
            settled = self.study.user_attrs.get(_SETTLED, (0, 0))
            number = settled[1] if settled[0] == self.total else self.study.best_trial.number
            if settled[0] != self.total:
                self.study.set_user_attr(_SETTLED, [self.total, number])
        params: dict[str, Any] = self.study.get_trials(deepcopy=False)[number].params
        return params

    def _counted(self) -> list[Any]:
        """Give the trials that are done or under way."""
        from optuna.trial import TrialState as State

        return self.study.get_trials(deepcopy=False, states=(State.COMPLETE, State.PRUNED, State.RUNNING))

    def _listen(self, trial: Any) -> None:
        """Give up a trial under way of which nothing was heard for long, by the clock here and no other."""
        count, now = trial.user_attrs.get(_ALIVE, 0), time.monotonic()
        heard, since = self._heard.setdefault(trial.number, (count, now))
        if heard != count:
            self._heard[trial.number] = count, now
        elif now - since > SILENCE:
            self._give_up(trial)

    def _give_up(self, trial: Any) -> None:
        if self._tell(trial.number, "FAIL"):
            self.study.enqueue_trial(trial.params)

    def _tell(self, number: int, state: str, value: float | None = None) -> bool:
        """End a trial; False if another process has done so."""
        from optuna.exceptions import UpdateFinishedTrialError
        from optuna.trial import TrialState

        try:
            self.study.tell(number, value, TrialState[state])
        except UpdateFinishedTrialError:
            return False
        except ValueError as error:
            if "Cannot tell a" not in str(error):
                raise
            return False
        return True


@contextmanager
def one_at_a_time(folder: Path) -> Iterator[None]:
    """Let one process at a time into a folder, which is made if absent; who dies lets the next one in."""
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _opened(store: str | Path) -> Any:
    """Open the store of studies."""
    from optuna.storages import RDBStorage
    from optuna.storages.journal import JournalFileBackend, JournalFileOpenLock, JournalStorage

    if "://" not in str(store):
        path = Path(store).expanduser().resolve()
        if path.is_dir():
            raise ValueError(f"{path} is a folder, expected the file of a journal or the URL of a database")
        path.parent.mkdir(parents=True, exist_ok=True)
        return JournalStorage(JournalFileBackend(str(path), JournalFileOpenLock(str(path))))
    scheme = str(store).partition("://")[0]
    if scheme.startswith("redis"):
        raise ValueError("studies in Redis are read by pickle; give the file of a journal or the URL of a database")
    waits = {"connect_args": {"timeout": 100}} if scheme.startswith("sqlite") else {}
    left = _ATTEMPTS
    while True:
        try:
            return RDBStorage(str(store), engine_kwargs=waits)
        except Exception as error:  # of whatever driver; two processes may both be making the tables
            left -= 1
            if not left or isinstance(error, ImportError):
                raise OSError(f"the database ({scheme}) cannot be opened: {error}") from error
            time.sleep(LOOK)
