"""`Filter`: which answers are wanted, said in a line such as ``TDE > 0.5 and days < 30``.

It compares numbers, probabilities of nodes (by the node's name), ``days`` and ``n_rows`` with ``<``, ``<=``, ``>``,
``>=``, ``==`` and ``!=``. It asks where in the tree ``leaf``, the node decided for, or ``confident``, the node that is
promised, stands: ``in`` and ``not in`` mean a node or what is below it, ``==`` and ``!=`` that very node. ``not``,
``and`` and ``or``, which bind in this order, and parentheses join these. Names with spaces, names that begin with a
digit and names that are words of this language are quoted.
"""

from __future__ import annotations

import difflib
import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple, NoReturn

import numpy as np
from numpy.typing import NDArray

from telperion.serve.answers import Answers
from telperion.serve.filter_terms import SIGNS, Comparison, Joined, Not, Placed, Quantity, Term
from telperion.taxonomy import Taxonomy

LONGEST = 4096
"""Characters of a filter."""

DEEPEST = 50
"""How deep parentheses and ``not`` may stand in each other."""

_TOKENS = re.compile(
    r"""\s*(?: (?P<number>[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?(?![\w.]))
             | (?P<quoted>'(?:[^']|'')*'|"(?:[^"]|"")*")
             | (?P<word>[^\W\d][\w/.+-]*)
             | (?P<sign><=|>=|==|!=|<|>|\(|\)) )""",
    re.VERBOSE,
)


@dataclass(frozen=True, eq=False)
class Filter:
    """Which answers are wanted.

    Parameters
    ----------
    text : str
        What it was made of.
    tree : Taxonomy
    term : Term
        What it means.

    Examples
    --------
    >>> from telperion.taxonomy import Taxonomy
    >>> wanted = Filter.parse("TDE > 0.5 and days < 30 or confident in Fast", Taxonomy.load("elasticc"))
    >>> Filter.parse("confident in Transiant", wanted.tree)
    Traceback (most recent call last):
    ...
    ValueError: filter: the tree 'elasticc' has no node 'Transiant', perhaps Transient? (character 14)
    """

    text: str
    tree: Taxonomy
    term: Term

    @classmethod
    def parse(cls, text: str, tree: Taxonomy) -> Filter:
        """Understand a filter.

        Parameters
        ----------
        text : str
        tree : Taxonomy
            Of the answers; its nodes are known by their names, by those that data sets have for them, and where only
            one fits, whatever the case of its letters.

        Raises
        ------
        ValueError
            It is not understood: the message says what is wrong and at which character, and names nodes that are near.
        """
        return cls(text, tree, _Parser(text, tree).parse())

    def mask(self, answers: Answers) -> NDArray[np.bool_]:
        """Say which answers are wanted, shape ``(n_alerts,)``.

        Raises
        ------
        ValueError
            The answers are along another tree.
        """
        if (n := answers.probabilities.shape[1]) != len(self.tree):
            raise ValueError(f"the answers are along a tree of {n} nodes, the filter's has {len(self.tree)}")
        return self.term.mask(answers)


class _Token(NamedTuple):
    kind: str  # number, quoted, word, sign, end
    text: str
    start: int

    def is_word(self, *words: str) -> bool:
        return self.kind == "word" and self.text.lower() in words

    def __str__(self) -> str:
        return "the filter ends" if self.kind == "end" else f"{self.text[:40]!r} stands"


class _Parser:
    """Goes through a filter from left to right."""

    def __init__(self, text: str, tree: Taxonomy) -> None:
        if len(text) > LONGEST:
            raise ValueError(f"filter: it has {len(text)} characters, at most {LONGEST} are read")
        self.text, self.tree = text, tree
        self.tokens = self._split()
        self.place = 0
        self.depth = 0

    def parse(self) -> Term:
        """Give the whole filter's meaning."""
        term = self._or()
        if (left := self._next()).kind != "end":
            self._fail(f"{left} where 'and', 'or' or the end was expected", left.start)
        return term

    def _split(self) -> list[_Token]:
        tokens, place, stop = [], 0, len(self.text.rstrip())
        while place < stop:
            match = _TOKENS.match(self.text, place)
            if match is None:
                place += len(self.text[place:]) - len(self.text[place:].lstrip())
                self._fail(_hint(self.text[place:]), place)
            kind = str(match.lastgroup)
            tokens.append(_Token(kind, match[kind], match.start(kind)))
            place = match.end()
        return [*tokens, _Token("end", "", stop)]

    def _next(self) -> _Token:
        token = self.tokens[self.place]
        self.place += token.kind != "end"
        return token

    def _word(self, *words: str) -> bool:
        """Take one of some words, if it stands next."""
        if found := self.tokens[self.place].is_word(*words):
            self.place += 1
        return found

    def _fail(self, what: str, start: int) -> NoReturn:
        raise ValueError(f"filter: {what} (character {start + 1})")

    def _or(self) -> Term:
        parts = [self._and()]
        while self._word("or"):
            parts.append(self._and())
        return parts[0] if len(parts) == 1 else Joined("or", tuple(parts))

    def _and(self) -> Term:
        parts = [self._not()]
        while self._word("and"):
            parts.append(self._not())
        return parts[0] if len(parts) == 1 else Joined("and", tuple(parts))

    def _not(self) -> Term:
        self.depth += 1
        if self.depth > DEEPEST:
            self._fail(f"it is nested more than {DEEPEST} deep", self.tokens[self.place].start)
        term = Not(self._not()) if self._word("not") else self._single()
        self.depth -= 1
        return term

    def _single(self) -> Term:
        token = self.tokens[self.place]
        if token.text == "(" and token.kind == "sign":
            self.place += 1
            term = self._or()
            if (closing := self._next()).text != ")" or closing.kind != "sign":
                self._fail(f"{closing} where ')' was expected", closing.start)
            return term
        if token.is_word("leaf", "confident"):
            self.place += 1
            return self._placed("leaf" if token.is_word("leaf") else "confident")
        left = self._quantity()
        sign = self._next()
        if sign.text not in SIGNS or sign.kind != "sign":
            self._fail(f"{sign} where a comparison such as > was expected", sign.start)
        right = self._quantity()
        if isinstance(left.of, float) and isinstance(right.of, float):
            self._fail("two numbers are compared; names that are numbers are quoted", token.start)
        return Comparison(left, sign.text, right)

    def _placed(self, which: Literal["leaf", "confident"]) -> Term:
        token = self._next()
        opposite = token.text == "!=" or token.is_word("not")
        below = token.is_word("in") or (token.is_word("not") and self._word("in"))
        if not below and token.text not in ("==", "!="):
            self._fail(f"{token} where {which} takes in, not in, == or !=", token.start)
        start = self.tokens[self.place].start
        node = self._node(self._next())
        if which == "leaf" and not below and node not in self.tree.leaves:
            name = self.tree.nodes[node]
            self._fail(f"{name!r} is no leaf, so leaf is never equal to it; it may be in it", start)
        among = self.tree.ancestors[:, node] if below else np.arange(len(self.tree)) == node
        return Placed(which, tuple((~among if opposite else among).tolist()))

    def _quantity(self) -> Quantity:
        token = self._next()
        if token.kind == "number":
            if not math.isfinite(value := float(token.text)):
                self._fail(f"{token.text[:40]} is too large a number", token.start)
            return Quantity(value)
        if token.is_word("leaf", "confident"):
            self._fail(f"{token.text} is a node, no number, and is not compared", token.start)
        if token.is_word("days", "n_rows"):
            return Quantity("days" if token.is_word("days") else "n_rows")
        return Quantity(self._node(token))

    def _node(self, token: _Token) -> int:
        """Find the node that a name means."""
        if token.kind not in ("quoted", "word") or token.is_word("and", "or", "not", "in"):
            self._fail(f"{token} where a node of the tree, days, n_rows, leaf or confident was expected", token.start)
        quote = token.text[0]
        name = token.text[1:-1].replace(2 * quote, quote) if token.kind == "quoted" else token.text
        if name in self.tree:
            return self.tree.index(name)
        nodes = self.tree.nodes
        alike = [k for k, node in enumerate(nodes) if node.casefold() == name.casefold()]
        if not alike:
            self._fail(f"the tree {self.tree.name!r} has no node {name[:40]!r}, {_near(name, nodes)}", token.start)
        if len(alike) > 1:
            self._fail(f"{name!r} is {' or '.join(nodes[k] for k in alike)}: mind the case", token.start)
        return alike[0]


def _near(name: str, nodes: Sequence[str]) -> str:
    """Name the nodes that are written most like a name, or all where none is."""
    folded = {node.casefold(): node for node in nodes}
    near = [folded[found] for found in difflib.get_close_matches(name.casefold(), folded, n=3, cutoff=0.5)]
    return f"perhaps {' or '.join(near)}?" if near else f"it has {', '.join(nodes[:40])}"


def _hint(rest: str) -> str:
    """Say what is wrong with what is no token."""
    if rest[0] in "'\"":
        return "a quoted name does not end"
    if rest[0] == "=":
        return "'=' is no comparison; == is"
    if rest[0] in "+-." or rest[0].isdigit():
        return f"{rest.split()[0][:40]!r} is no number; names that begin like one are quoted"
    return f"{rest[0]!r} is not understood"
