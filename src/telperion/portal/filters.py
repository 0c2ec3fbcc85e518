"""What a reader of the list wants to see, as a page's address says it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urlencode

from telperion.serve.sky import Sort, Wanted
from telperion.taxonomy import Taxonomy

SORTS: dict[Sort, str] = {
    "follow-up": "what to follow up tonight",
    "newest": "latest alert first",
    "surest": "surest first",
    "rarest": "least usual first",
}
PAGE = 50
_LONGEST_TEXT = 100


@dataclass(frozen=True)
class Filters:
    """What the list shows.

    Parameters
    ----------
    node : str
        "" all.
    promised : bool
        Of the node: only what is promised to be in it; else what is likely, see `least`.
    least : float
        Smallest probability of the node.
    most_days : float, optional
        Days from the first detection to the latest observation, at most.
    least_rows : int
    text : str
        Part of the object's name.
    sort : str
        One of `SORTS`.
    wrong : tuple of str
        What could not be understood, for people.
    """

    node: str = ""
    promised: bool = False
    least: float = 0.0
    most_days: float | None = None
    least_rows: int = 0
    text: str = ""
    sort: Sort = "follow-up"
    wrong: tuple[str, ...] = ()

    @classmethod
    def of(cls, query: Mapping[str, str], tree: Taxonomy) -> Filters:
        """Read an address; what makes no sense is left out and told.

        Examples
        --------
        >>> tree = Taxonomy("toy", {"Alert": {"SN": {}, "AGN": {}}})
        >>> Filters.of({"node": "SN", "least": ".5", "most_days": "x"}, tree)
        Filters(node='SN', promised=False, least=0.5, ..., wrong=("days must be a number above zero, not 'x'",))
        """
        wrong = []
        node = query.get("node", "").strip()
        if node and node not in tree:
            wrong.append(f"the tree has no node {node[:60]!r}")
            node = ""
        least = _number(query.get("least", ""), 0, 1, "the probability must be 0 to 1", wrong) or 0.0
        most_days = _number(query.get("most_days", ""), 0, 1e6, "days must be a number above zero", wrong)
        rows = _number(query.get("least_rows", ""), 0, 1e9, "rows must be a number above zero", wrong) or 0
        asked = query.get("sort", "") or "follow-up"
        sort = next((each for each in SORTS if each == asked), None)
        if sort is None:
            wrong.append(f"there is no order {asked[:60]!r}")
        text = query.get("text", "").strip()[:_LONGEST_TEXT]
        return cls(
            node,
            query.get("promised", "") in ("1", "on", "true"),
            least,
            most_days,
            int(rows),
            text,
            sort or "follow-up",
            tuple(wrong),
        )

    @property
    def wanted(self) -> Wanted:
        """What to ask the sky for."""
        return Wanted(
            node=self.node, least=self.least, promised=self.promised and bool(self.node), most_days=self.most_days,
            least_rows=self.least_rows, text=self.text, sort=self.sort,
        )  # fmt: skip

    def address(self, **changes: str) -> str:
        """Give the query of an address, without what is as usual."""
        parts = {
            "node": self.node, "promised": "1" if self.promised else "",
            "least": f"{self.least:g}" if self.least else "",
            "most_days": "" if self.most_days is None else f"{self.most_days:g}",
            "least_rows": f"{self.least_rows}" if self.least_rows else "", "text": self.text,
            "sort": "" if self.sort == "follow-up" else self.sort,
        }  # fmt: skip
        return urlencode({name: value for name, value in (parts | changes).items() if value})

    @property
    def any(self) -> bool:
        """Whether anything is left out."""
        return bool(self.node or self.least or self.most_days is not None or self.least_rows or self.text)


def _number(text: str, low: float, high: float, rule: str, wrong: list[str]) -> float | None:
    if not (bare := text.strip()):
        return None
    try:
        value = float(bare)
    except ValueError:
        value = float("nan")
    if low <= value <= high:
        return value
    wrong.append(f"{rule}, not {bare[:40]!r}")
    return None
