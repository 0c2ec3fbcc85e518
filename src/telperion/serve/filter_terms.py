"""What a filter is made of: comparisons and places in the tree, joined by and, or and not, each a mask over answers."""

from __future__ import annotations

import operator
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from telperion.serve.answers import Answers

SIGNS: dict[str, Callable[[Any, Any], Any]] = {
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
    "==": operator.eq,
    "!=": operator.ne,
}
"""How two quantities are compared."""


class Term(Protocol):
    """Part of a filter."""

    def mask(self, answers: Answers) -> NDArray[np.bool_]:
        """Say which answers it holds for, shape ``(n_alerts,)``."""


@dataclass(frozen=True)
class Quantity:
    """What is compared: a number, the probability of a node, or a column of `Answers`."""

    of: float | int | Literal["days", "n_rows"]
    """A float is a number, an int a node's place."""

    def values(self, answers: Answers) -> Any:
        """Give it for each answer, or the one number."""
        if isinstance(self.of, float):
            return self.of
        return answers.probabilities[:, self.of] if isinstance(self.of, int) else getattr(answers, self.of)


@dataclass(frozen=True)
class Comparison:
    """Two quantities, at least one of which is no number; a probability meets a number in single precision."""

    left: Quantity
    sign: str
    right: Quantity

    def mask(self, answers: Answers) -> NDArray[np.bool_]:
        """Compare; days that are unknown (NaN) are different from all, and neither less nor more."""
        with np.errstate(over="ignore"):  # a number beyond single precision is infinite there
            return SIGNS[self.sign](self.left.values(answers), self.right.values(answers))


@dataclass(frozen=True)
class Placed:
    """Whether an answer's node, decided for or promised, is among some; `among` has a truth for each node."""

    which: Literal["leaf", "confident"]
    among: tuple[bool, ...]

    def mask(self, answers: Answers) -> NDArray[np.bool_]:
        """Look each answer's node up."""
        return np.array(self.among)[getattr(answers, self.which)]


@dataclass(frozen=True)
class Not:
    """The opposite."""

    part: Term

    def mask(self, answers: Answers) -> NDArray[np.bool_]:
        """Turn a mask round."""
        return ~self.part.mask(answers)


@dataclass(frozen=True)
class Joined:
    """All of some terms, or any of them."""

    word: Literal["and", "or"]
    parts: tuple[Term, ...]

    def mask(self, answers: Answers) -> NDArray[np.bool_]:
        """Join masks."""
        result = self.parts[0].mask(answers)
        for part in self.parts[1:]:
            result = result & part.mask(answers) if self.word == "and" else result | part.mask(answers)
        return result
