"""What was measured of a classifier, kept beside the portal: reliability, confusion, scores by phase.

Figures come from ``scores.json`` of ``telperion evaluate``, the classifier's fingerprint with them: those of another
version are not shown.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from telperion.card_figures import without_roots
from telperion.report import read_scores
from telperion.scores import Evaluation

SHIPPED = Path(__file__).parent / "evaluations"
FORMAT = 1
MAX_BYTES = 16 * 2**20


@dataclass(frozen=True, eq=False)
class Measured:
    """What was measured of one classifier.

    Parameters
    ----------
    fingerprint : str
        Of the classifier; "" if that is not known.
    data, command : str
        Of which objects, and how to measure it again.
    runs : tuple of Evaluation
        One a context.
    """

    fingerprint: str
    data: str
    command: str
    runs: tuple[Evaluation, ...]

    def run(self, context: str) -> Evaluation:
        """Give the measurement with this context, or the first."""
        return next((run for run in self.runs if run.context == context), self.runs[0])


def read_measured(fingerprint: str, reports: Sequence[Path] = ()) -> Measured | None:
    """Read what was measured of a classifier: in reports that are given, or else what comes with the package.

    Parameters
    ----------
    fingerprint : str
    reports : sequence of path
        Files ``scores.json``, or the folders of reports that hold one.

    Returns
    -------
    Measured or None
        None where nothing is known of this classifier.

    Raises
    ------
    ValueError
        A file is not what ``telperion evaluate`` writes.
    """
    if reports:
        return _from_reports([path / "scores.json" if path.is_dir() else path for path in reports], fingerprint)
    for path in sorted(SHIPPED.glob("*.json")):
        document = json.loads(path.read_text(encoding="utf-8"))
        if document.get("format") == FORMAT and document.get("fingerprint") == fingerprint:
            runs = tuple(Evaluation.from_dict(run) for run in document["runs"])
            return Measured(fingerprint, document["data"], document["command"], runs)
    return None


def keep_measured(path: str | Path, fingerprint: str, reports: Sequence[Path], data: str = "") -> None:
    """Write what comes with the package: reports of one classifier without their ROC curves, a line a table.

    Parameters
    ----------
    path : path
    fingerprint : str
        Of the classifier that the reports are of.
    reports : sequence of path
    data : str
        What the objects were, in words; by default the name of their folder.
    """
    found = _from_reports([report / "scores.json" if report.is_dir() else report for report in reports], fingerprint)
    runs = [run.to_dict() for run in found.runs]
    for run in runs:
        for levels in run["phases"].values():
            for level in levels.values():
                level["roc"] = [[] for _ in level["classes"]]
                level["auc"] = _short(level["auc"])
                level["calibration_error"] = _short(level["calibration_error"])
                level["reliability"] = [_short(row) for row in level["reliability"]]
                for derived in ("support", "precision", "recall", "f1", "summary"):
                    del level[derived]
    document = {
        "format": FORMAT,
        "fingerprint": fingerprint,
        "data": data or found.data,
        "command": found.command,
        "runs": runs,
    }
    Path(path).write_text(json.dumps(document, separators=(",", ":"), allow_nan=False) + "\n", encoding="utf-8")


def _from_reports(paths: Sequence[Path], fingerprint: str) -> Measured:
    runs: list[Evaluation] = []
    abouts = []
    for path in paths:
        if path.stat().st_size > MAX_BYTES:
            raise ValueError(f"{path} is larger than {MAX_BYTES} bytes: it is no scores.json")
        try:
            abouts.append(json.loads(path.read_text(encoding="utf-8")))
            runs += [run for _, run in read_scores(path)]
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise ValueError(f"{path} is not the scores.json of a report: {error}") from error
    if not runs:
        raise ValueError("there is no measurement in the reports")
    command = " ; ".join(dict.fromkeys(without_roots(str(about.get("command", ""))) for about in abouts))
    return Measured(fingerprint, Path(str(abouts[0].get("data", ""))).name, command, tuple(runs))


def _short(values: Sequence[float | None]) -> list[float | None]:
    return [None if value is None else round(float(value), 4) for value in values]
