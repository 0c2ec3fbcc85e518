"""Lines in a log, a bar on a terminal."""

import io

import pytest
from rich.console import Console

from telperion.progress import EVERY, Lines, progress_bar


@pytest.fixture
def log():
    """A file that is no terminal, lines that know the time from a clock of ours."""

    class Log:
        def __init__(self):
            self.file, self.now = io.StringIO(), 0.0
            self.progress = progress_bar(Console(file=self.file, width=40))
            self.progress.get_time = lambda: self.now

        @property
        def lines(self):
            return self.file.getvalue().splitlines()

    return Log()


def test_an_epoch_is_a_line_with_its_losses_and_the_time_left(log):
    with log.progress as progress:
        task = progress.add_task("training", total=5, completed=2)  # two epochs were done in an earlier sitting
        for epoch, loss in ((3, 0.5), (4, 0.25)):
            log.now += 600
            progress.update(task, advance=1, description=f"training (loss {loss}, [rate] 1e-3)")
            assert len(log.lines) == epoch - 2
    assert log.lines == [  # as they are, however narrow the console is
        "training (loss 0.5, [rate] 1e-3): 3 of 5, 0:10:00 so far, 0:20:00 left",
        "training (loss 0.25, [rate] 1e-3): 4 of 5, 0:20:00 so far, 0:10:00 left",
    ]


def test_other_work_has_a_line_a_minute_at_most(log):
    with log.progress as progress:
        task, other = progress.add_task("light curves", total=20_000), progress.add_task("figures", total=None)
        for _ in range(100):
            log.now += 3.1
            progress.advance(task, 100)
            progress.update(task, completed=progress.tasks[0].completed)
        progress.advance(other)
    assert len(log.lines) == int(310 // EVERY) + 1 == 6
    assert log.lines[0] == "light curves: 2,000 of 20,000, 0:01:02 so far, 0:09:18 left"
    assert log.lines[-1] == "figures: 1, 0:05:10 so far"


def test_work_that_is_soon_done_leaves_no_line(log):
    with log.progress as progress:
        task = progress.add_task("light curves", total=2)
        progress.advance(task, 2)
    assert log.lines == []


def test_a_terminal_gets_a_bar_that_knows_the_time_left_of_long_epochs():
    progress, clock = progress_bar(Console(file=io.StringIO(), force_terminal=True)), [0.0]
    assert not isinstance(progress, Lines)
    progress.get_time = lambda: clock[0]
    task = progress.add_task("training", total=4)
    for clock[0] in (300.0, 600.0):
        progress.advance(task)
    assert progress.tasks[0].time_remaining == 600
