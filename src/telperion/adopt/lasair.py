"""Lasair: objects as its API for LSST gives them, and annotations as its client takes them."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from telperion.adopt.ask import ask, loaded, provenance
from telperion.adopt.histories import Histories, of_records
from telperion.serve.json_messages import LasairMessages


def annotate(
    objects: Sequence[Mapping[str, Any]], *, topic: str, classifier: str = "elasticc", url: str = ""
) -> list[dict[str, Any]]:
    """Classify objects of Lasair.

    Parameters
    ----------
    objects : sequence of mappings
        What ``lasair_client.object`` returns for each.
    topic : str
        The annotator, as Lasair knows it.
    classifier : str
        The name of a shipped classifier, or a folder.
    url : str
        More about the object; ``{objectId}`` stands for the object's.

    Returns
    -------
    list of dict
        One an object, in their order, for ``lasair_client.annotate_list``, or ``annotate(**annotation)``: objectId,
        topic, version (of the classifier), classification (the deepest node that is promised, the root if none is),
        explanation, classdict (the probability of every node) and url.

    Raises
    ------
    ValueError
        An object is none, or its rows are not what they were; the message says which.
    """
    model = loaded(classifier)
    messages = LasairMessages(provenance(classifier, model), topic, url)
    return [json.loads(message) for message in messages.encode(ask(model, histories(objects)))]


def histories(objects: Sequence[Mapping[str, Any]]) -> Histories:
    """Gather objects of Lasair: ``diaSourcesList``, ``diaForcedSourcesList``, and E(B-V) from ``lasairData``.

    Parameters
    ----------
    objects : sequence of mappings
        As for `annotate`. Forced photometry may be absent or null; so may all but ids and sources. Where Lasair
        gives no E(B-V), the fluxes are taken as they are.

    Raises
    ------
    ValueError
        As in `annotate`.

    Examples
    --------
    >>> source = {"midpointMjdTai": 61000.1, "band": "r", "psfFlux": 850.0, "psfFluxErr": 110.0}
    >>> found = histories([{"diaObjectId": 7, "diaSourcesList": [source], "lasairData": {"ebv": 0.05}}])
    >>> found.alerts.object_id, found.alerts.context["mwebv"]
    (array(['7'], dtype='<U1'), array([0.05]))
    """
    names = [_name(place, item) for place, item in enumerate(objects)]
    if without := [name for name, item in zip(names, objects, strict=True) if _list(item, "diaSourcesList") is None]:
        raise ValueError(f"no diaSourcesList in {len(without)} objects, first {without[0]!r}")
    about = [_section(item, "diaObject") for item in objects]
    ebv = np.array([_number(_section(item, "lasairData").get("ebv")) for item in objects])
    context = {
        "ra": np.array([_number(each.get("ra")) for each in about]),
        "decl": np.array([_number(each.get("decl", each.get("dec"))) for each in about]),
    }
    return of_records(
        names,
        [_list(item, "diaSourcesList") or [] for item in objects],
        [_list(item, "diaForcedSourcesList") or [] for item in objects],
        context=context if np.isnan(ebv).all() else context | {"mwebv": ebv},
        n_sources=np.array([int(each.get("nDiaSources") or 0) for each in about], dtype=np.int64),
    )


def _name(place: int, item: Mapping[str, Any]) -> str:
    found = item.get("diaObjectId", _section(item, "diaObject").get("diaObjectId"))
    if found in (None, "", 0):
        said = f": {item['error']}" if "error" in item else ""
        raise ValueError(f"object {place} of those that Lasair gave has no diaObjectId{said}")
    if isinstance(found, float):
        raise ValueError(f"object {place} of those that Lasair gave has the diaObjectId {found}, which lost digits")
    return str(found)


def _section(item: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    found = item.get(name)
    return found if isinstance(found, Mapping) else {}


def _list(item: Mapping[str, Any], name: str) -> list[Mapping[str, Any]] | None:
    found = item.get(name)
    return found if isinstance(found, list) else None


def _number(value: Any) -> float:
    return float("nan") if value is None else float(value)
