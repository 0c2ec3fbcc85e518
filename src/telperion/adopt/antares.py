"""ANTARES: a filter for its devkit, which classifies a locus and writes properties and tags."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from telperion.adopt.ask import ask, loaded
from telperion.adopt.histories import NEEDED, Histories, of_records

_SOURCE, _FORCED = "lsst_diaSource_", "lsst_fp_hists"
_NOBODY = (None, 0, "0", "")
_LSST = 4  # ANTARES' number of the survey
_PROPERTIES = {
    "leaf": ("str", "Class decided for."),
    "leaf_probability": ("float", "Its probability, calibrated."),
    "promised": ("str", "Deepest node of the class tree that is right for nine loci in ten; the root says nothing."),
    "probabilities": ("str", "JSON: the probability of every node of the class tree."),
    "days": ("float", "Days after the first detection up to which the locus is known."),
    "observations": ("int", "Observations that the answer stands on; 0: there is none of use, and no answer."),
    "useless": ("int", "Observations of no use: flagged, withdrawn, without flux, error, time or band."),
    "version": ("str", "Fingerprint of the classifier."),
}


def filter_class(
    classifier: str = "elasticc",
    *,
    name: str = "Telperion",
    ebv: Callable[[float, float], ArrayLike] | None = None,
    slack_channel: str = "",
) -> Any:
    """Make the class of a filter, to be bound to its name in a filter's module.

    Parameters
    ----------
    classifier : str
        The name of a shipped classifier, or a folder.
    name : str
        The filter's. In lower case it begins the names of its properties and tags.
    ebv : callable, optional
        Gives E(B-V) at a right ascension and declination (degrees), NaN where unknown, as
        `telperion.serve.dust_map.DustMap.ebv` does; without, fluxes are taken as they are.
    slack_channel : str
        Where ANTARES tells of errors.

    Returns
    -------
    subclass of antares_devkit.models.BaseFilter
        Triggered by LSST's alerts; those of the Solar System are passed over. It writes the properties
        ``telperion_leaf`` and so on (its OUTPUT_LOCUS_PROPERTIES say what they mean) and a tag for the promised node
        and each above it but the root, such as ``telperion_sn_like``. Tags are never taken back: the property
        ``telperion_promised`` is what holds now.

    Raises
    ------
    ImportError
        antares-devkit is missing.
    """
    from antares_devkit.models import BaseFilter

    prefix, tree = name.lower(), loaded(classifier).tree
    tags = {node: f"{prefix}_{re.sub('[^a-z0-9]+', '_', node.lower()).strip('_')}" for node in tree.nodes[1:]}

    class Filter(BaseFilter):  # type: ignore[misc]  # the devkit ships no types
        SLACK_CHANNEL = slack_channel
        TRIGGERING_SURVEY = "lsst"
        REQUIRED_ALERT_PROPERTIES = [f"{_SOURCE}{field}" for field in NEEDED]  # noqa: RUF012 - as the devkit has it
        OUTPUT_LOCUS_PROPERTIES = [  # noqa: RUF012 - as above
            {"name": f"{prefix}_{key}", "type": kind, "description": about}
            for key, (kind, about) in _PROPERTIES.items()
        ]
        OUTPUT_LOCUS_TAGS = [  # noqa: RUF012 - as above
            {"name": tag, "description": f"{node}, or below it in the class tree: promised for nine loci in ten."}
            for node, tag in tags.items()
        ]

        def setup(self) -> None:
            """Load the classifier, once a night."""
            self.classifier = loaded(classifier)

        def _run(self, locus: Any) -> None:
            if locus.alert.properties.get(f"{_SOURCE}ssObjectId") not in _NOBODY:
                return
            said = properties(locus, classifier=classifier, ebv=ebv)
            for key, value in said.items():
                locus.set_property(f"{prefix}_{key}", value)
            if said["observations"]:
                place = tree.index(str(said["promised"]))
                while place:  # 0 is the root
                    locus.tag(tags[tree.nodes[place]])
                    place = int(tree.parent[place])

    Filter.__name__ = Filter.__qualname__ = name
    Filter.__doc__ = f"Classifies LSST's loci along the class tree {tree.name} by Telperion's classifier {classifier}."
    return Filter


def properties(
    locus: Any, *, classifier: str = "elasticc", ebv: Callable[[float, float], ArrayLike] | None = None
) -> dict[str, str | float | int]:
    """Classify a locus; without an observation of use, only ``observations``, ``useless`` and ``version`` are said.

    Parameters
    ----------
    locus : DevKitLocus
        Or whatever has its ``id``, ``ra``, ``dec`` and ``alerts``.
    classifier, ebv
        As for `filter_class`.

    Raises
    ------
    ValueError
        Values are of a wrong type, or forced photometry is not as it was; the message says what.
    """
    model, gathered = loaded(classifier), histories(locus, ebv)
    answers, tree = ask(model, gathered), model.tree
    result: dict[str, str | float | int] = {
        "observations": int(answers.n_rows[0]),
        "useless": int(gathered.useless[0]),
        "version": model.fingerprint,
    }
    if answers.n_rows[0]:
        leaf, probabilities = int(answers.leaf[0]), [round(p, 6) for p in answers.probabilities[0].tolist()]
        result |= {
            "leaf": tree.nodes[leaf],
            "leaf_probability": probabilities[leaf],
            "promised": tree.nodes[answers.confident[0]],
            "probabilities": json.dumps(dict(zip(tree.nodes, probabilities, strict=True))),
            "days": float(answers.days[0]),
        }
    return result


def histories(locus: Any, ebv: Callable[[float, float], ArrayLike] | None = None) -> Histories:
    """Gather a locus: LSST's alerts as detections, forced photometry from its newest alert.

    Alerts of other surveys are passed over, since the classifier knows LSST's bands alone.

    Parameters
    ----------
    locus : DevKitLocus
    ebv : callable, optional
        As for `filter_class`.

    Raises
    ------
    ValueError
        As in `properties`.
    """
    alerts = [alert for alert in locus.alerts if alert.properties.get("ant_survey") == _LSST]
    sources = [
        {key.removeprefix(_SOURCE): value for key, value in alert.properties.items() if key.startswith(_SOURCE)}
        for alert in alerts
    ]
    newest = max(alerts, key=lambda alert: alert.mjd, default=None)
    forced = (getattr(newest, "non_persistent_properties", None) or {}).get(_FORCED) or []
    context = {"ra": [locus.ra], "decl": [locus.dec]}
    if ebv is not None:
        context["mwebv"] = [np.asarray(ebv(locus.ra, locus.dec), dtype=np.float64).item()]
    return of_records([str(locus.id)], [sources], [_records(forced)], context=context)


def _records(forced: Any) -> Sequence[Mapping[str, Any]]:
    if isinstance(forced, str) or not all(isinstance(row, Mapping) for row in forced):
        raise ValueError(f"{_FORCED} is no list of records with the fields {', '.join(NEEDED)}")
    return list(forced)
