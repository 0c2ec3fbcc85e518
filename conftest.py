"""Runs the Python blocks of the README and of docs/ as tests (fixtures live in tests/conftest.py).

A block marked ``output`` must be what the Python block before it printed, as a doctest's output is held against its
page: ``...`` stands for anything. ``TELPERION_PAGES=write pytest docs`` writes anew what differs.
"""

import io
import os
from contextlib import redirect_stdout
from doctest import ELLIPSIS, NORMALIZE_WHITESPACE, OutputChecker
from pathlib import Path

from sybil import Example, Sybil
from sybil.evaluators.python import PythonEvaluator
from sybil.parsers.markdown import CodeBlockParser, SkipParser

PRINTED = "__printed__"


class Printing(PythonEvaluator):
    """Runs a block and remembers what it printed."""

    def __call__(self, example: Example) -> None:
        """Run it, and keep what it prints in its namespace."""
        with redirect_stdout(io.StringIO()) as printed:
            super().__call__(example)
        example.namespace[PRINTED] = printed.getvalue()


def is_what_was_printed(example: Example) -> str | None:
    """Hold a block against what the last one printed; sybil fails with what is returned."""
    printed, expected = example.namespace.pop(PRINTED, ""), str(example.parsed)
    if OutputChecker().check_output(expected, printed, ELLIPSIS | NORMALIZE_WHITESPACE):
        return None
    if os.environ.get("TELPERION_PAGES") == "write":
        page = Path(example.path)
        old, new = (f"```output\n{text}```" for text in (expected, printed))
        page.write_text(page.read_text(encoding="utf-8").replace(old, new, 1), encoding="utf-8")
        return None
    return f"the page says\n{expected}\nbut what is printed is\n{printed}"


PARSERS = [CodeBlockParser("python", Printing()), CodeBlockParser("output", is_what_was_printed), SkipParser()]

pytest_collect_file = Sybil(parsers=PARSERS, patterns=["*.md"]).pytest()
