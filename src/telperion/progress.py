"""What long work shows of itself: a bar where somebody looks on, plain lines where it goes into a log."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    Task,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

EVERY = 60.0
"""Seconds between the lines of a task that has nothing new to say."""

_MEMORY = 3600.0  # seconds of which the bar takes the speed: epochs may take many minutes


def progress_bar(console: Console | None = None) -> Progress:
    """Give what shows long work: what is done, and the time left.

    Parameters
    ----------
    console : rich.console.Console, optional
        By default that of standard error. On a terminal a bar moves; anything else gets `Lines`.
    """
    console = console or Console(stderr=True)
    if not console.is_terminal:
        return Lines(console)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    return Progress(*columns, TimeRemainingColumn(), console=console, speed_estimate_period=_MEMORY)


class Lines(Progress):
    """Progress as plain lines: one when a task has a new description, as after an epoch, else one a minute at most.

    Examples
    --------
    >>> import sys
    >>> with progress_bar(Console(file=sys.stdout)) as progress:
    ...     task = progress.add_task("training", total=3)
    ...     progress.update(task, advance=1, description="training (loss 0.7)")
    training (loss 0.7): 1 of 3, 0:00:00 so far, 0:00:00 left
    """

    def __init__(self, console: Console) -> None:
        super().__init__(console=console, disable=True)  # draws nothing itself
        self._started: dict[TaskID, tuple[float, float]] = {}
        self._last: dict[TaskID, float] = {}

    def add_task(
        self,
        description: str,
        start: bool = True,
        total: float | None = 100.0,
        completed: int = 0,
        visible: bool = True,
        **fields: Any,
    ) -> TaskID:
        """Begin a task, of which some may have been done before."""
        task = super().add_task(description, start, total, completed, visible, **fields)
        self._started[task] = self.get_time(), completed
        self._last[task] = self.get_time()
        return task

    def update(self, task_id: TaskID, **changes: Any) -> None:
        """Change a task, and perhaps say so."""
        before = self._task(task_id).description
        super().update(task_id, **changes)
        self._say(task_id, news=self._task(task_id).description != before)

    def advance(self, task_id: TaskID, advance: float = 1) -> None:
        """Go on with a task, and perhaps say so."""
        super().advance(task_id, advance)
        self._say(task_id, news=False)

    def _task(self, task_id: TaskID) -> Task:
        return next(task for task in self.tasks if task.id == task_id)

    def _say(self, task_id: TaskID, *, news: bool) -> None:
        now = self.get_time()
        if not news and now - self._last[task_id] < EVERY:
            return
        self._last[task_id] = now
        task, (start, ready) = self._task(task_id), self._started[task_id]
        line = f"{task.description}: {task.completed:,.0f}"
        if task.total is not None:
            line += f" of {task.total:,.0f}"
        line += f", {_clock(now - start)} so far"
        if task.total is not None and task.completed > ready:
            left = (now - start) / (task.completed - ready) * (task.total - task.completed)
            line += f", {_clock(left)} left"
        self.console.print(line, markup=False, highlight=False, soft_wrap=True)


def _clock(seconds: float) -> str:
    """Give a span of time as hours, minutes and seconds."""
    return str(timedelta(seconds=round(max(seconds, 0))))
