"""`Processes`: the processes that train one model together, as torchrun starts them; most often there is one.

What goes between them are tensors, never pickles. torch is imported when there is somebody to talk to.
"""

from __future__ import annotations

import atexit
import os
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from torch import Tensor

Items = TypeVar("Items", "Sequence[int]", "NDArray[Any]")

LONGEST_WAIT = timedelta(days=7)
"""How long the others may be busy, as with simulating. One that has ended is noticed at once."""

_GRACE = 2.0  # seconds that Ctrl-C may take to reach all of them


@dataclass(frozen=True)
class Processes:
    """Who trains together, and what they tell each other; all of them make the same calls in the same order.

    Parameters
    ----------
    rank : int
        Which one this is; 0, the first, writes files and speaks.
    size : int
        How many there are. One alone talks to nobody, and every call gives back what it was given.

    Raises
    ------
    ValueError
        There is no such process.

    Examples
    --------
    >>> Processes(1, 3).share(range(8))
    range(1, 8, 3)
    """

    rank: int = 0
    size: int = 1

    def __post_init__(self) -> None:
        if not 0 <= self.rank < self.size:
            raise ValueError(f"RANK is {self.rank} and WORLD_SIZE {self.size}, expected 0 <= RANK < WORLD_SIZE")

    @property
    def first(self) -> bool:
        """Whether this one writes and speaks for all."""
        return self.rank == 0

    def share(self, items: Items) -> Items:
        """Give this process's share: of items in order of size, every share has small and large ones."""
        return items[self.rank :: self.size] if self.size > 1 else items

    def alone(self, what: str) -> None:
        """Make sure that there is one process.

        Raises
        ------
        ValueError
            There are several, and `what` is done by one.
        """
        if self.size > 1:
            raise ValueError(f"{what} runs in one process, but WORLD_SIZE is {self.size}: start it without torchrun")

    def wait(self) -> None:
        """Wait until all have come here."""
        if self.size > 1:
            self._together(lambda distributed: distributed.barrier())

    @contextmanager
    def first_before_others(self) -> Iterator[None]:
        """Let the first process go through a block before the others do."""
        if not self.first:
            self.wait()
        yield
        if self.first:
            self.wait()

    def add(self, values: Tensor) -> Tensor:
        """Put the sum over all processes into a tensor, the same to the last bit everywhere."""
        if self.size > 1:
            self._together(lambda distributed: distributed.all_reduce(values))
        return values

    def tell(self, values: Tensor) -> Tensor:
        """Put what the first process has into a tensor of one shape and type everywhere."""
        if self.size > 1:
            self._together(lambda distributed: distributed.broadcast(values, 0))
        return values

    def tell_numbers(self, numbers: Sequence[float]) -> list[float]:
        """Give what the first process was given, as many numbers as here."""
        if self.size == 1:
            return list(numbers)
        import torch

        told: list[float] = self.tell(torch.tensor(numbers, dtype=torch.float64)).tolist()
        return told

    def tell_bytes(self, content: bytes) -> bytes:
        """Give what the first process was given."""
        if self.size == 1:
            return content
        import torch

        length = int(self.tell(torch.tensor([len(content)]))[0])
        own = torch.frombuffer(bytearray(content), dtype=torch.uint8) if content and self.first else None
        buffer = torch.zeros(length, dtype=torch.uint8) if own is None else own
        return self.tell(buffer).numpy().tobytes() if length else b""

    @contextmanager
    def file_of_first(self, path: Path) -> Iterator[Path]:
        """Give a file of the first process: itself there, a copy elsewhere, which may be another machine."""
        content = self.tell_bytes(path.read_bytes() if self.size > 1 and self.first and path.is_file() else b"")
        if self.first:
            yield path
            return
        with tempfile.TemporaryDirectory() as place:
            copy = Path(place) / path.name
            if content:
                copy.write_bytes(content)
            yield copy

    def add_gradients(self, weights: Sequence[Tensor], loss: float) -> float:
        """Add up what each learnt from its share of a batch.

        Parameters
        ----------
        weights : sequence of Tensor
            With gradients of a share's loss, each object weighed as in the whole batch; None where a share is empty.
        loss : float
            Of the share, weighed alike.

        Returns
        -------
        float
            The loss of the batch; the gradients are those of the batch.
        """
        if self.size == 1:
            return loss
        import torch

        own = [torch.zeros_like(weight) if weight.grad is None else weight.grad for weight in weights]
        flat = self.add(torch.cat([*(gradient.flatten() for gradient in own), torch.tensor([loss])]))
        for weight, total in zip(weights, flat[:-1].split([weight.numel() for weight in weights]), strict=True):
            weight.grad = total.view_as(weight)
        return float(flat[-1])

    def _together(self, call: Callable[[Any], object]) -> None:
        from torch import distributed

        if not distributed.is_initialized():
            distributed.init_process_group("gloo", timeout=LONGEST_WAIT)
            atexit.register(distributed.destroy_process_group)
        try:
            call(distributed)
        except RuntimeError as error:
            time.sleep(_GRACE)  # where Ctrl-C has ended the other one, it comes here, too, and raises its own error
            raise RuntimeError(f"process {self.rank} of {self.size} has lost another one ({error})") from error


def processes() -> Processes:
    """Give the processes that torchrun has started, by its variables ``RANK`` and ``WORLD_SIZE``; one without them.

    Raises
    ------
    ValueError
        They are no such numbers.
    """
    said = [os.environ.get(name, default) for name, default in (("RANK", "0"), ("WORLD_SIZE", "1"))]
    if not all(value.isdecimal() for value in said):
        raise ValueError(f"RANK is {said[0]!r} and WORLD_SIZE {said[1]!r}, expected whole numbers")
    return Processes(int(said[0]), int(said[1]))
