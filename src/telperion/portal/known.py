"""The classifier that the portal itself answers with: for uploads, the model page and what objects look like."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from telperion.classifier import Classifier, load
from telperion.portal.evaluations import Measured, read_measured


@dataclass(frozen=True)
class Model:
    """A classifier by its name, loaded when it is first asked for.

    Parameters
    ----------
    name : str
        A shipped classifier or a folder.
    reports : tuple of path
        Reports of ``telperion evaluate`` on it.
    """

    name: str
    reports: tuple[Path, ...] = field(default=())

    @cached_property
    def classifier(self) -> Classifier:
        """The classifier."""
        return load(self.name)

    @cached_property
    def measured(self) -> Measured | None:
        """What was measured of it, as far as that is known."""
        return read_measured(self.classifier.fingerprint, self.reports)

    def check(self) -> None:
        """Load both now, so that what is wrong is said at once."""
        _ = self.classifier, self.measured

    @property
    def label(self) -> str:
        """Its name without the folders above it."""
        return Path(self.name).name
