"""A classifier asked about whole histories, without a store: what all brokers' adapters share."""

from __future__ import annotations

import time
from functools import lru_cache
from pathlib import Path

import numpy as np

from telperion.adopt.histories import Histories
from telperion.classifier import Classifier, load
from telperion.encode.view import days_known, held_context, view
from telperion.serve.answers import Answers, Provenance
from telperion.serve.engine import confident


@lru_cache(maxsize=4)
def loaded(name: str) -> Classifier:
    """Load a classifier once a process, as `telperion.load` does."""
    return load(name)


def ask(classifier: Classifier, histories: Histories) -> Answers:
    """Classify objects by all that is known of them now.

    Parameters
    ----------
    classifier : Classifier
        It counts the rows of its own view: of the alert view, those from 30 days before the first detection on.
    histories : Histories

    Returns
    -------
    Answers
        One an object, in their order. An object without a row that counts gets the class mix: ``n_rows`` is 0, ``days``
        are NaN, and nothing is promised.

    Examples
    --------
    >>> from telperion.adopt.histories import of_records
    >>> source = {"midpointMjdTai": 61000.1, "band": "r", "psfFlux": 850.0, "psfFluxErr": 110.0}
    >>> answers = ask(loaded("elasticc"), of_records(["a", "b"], [[source], []]))
    >>> answers.n_rows, answers.days
    (array([1, 0], dtype=int32), array([ 0., nan]))
    """
    received = time.time()
    alerts = histories.alerts
    known = view(alerts.light_curves(), kind=classifier.view)
    probabilities = classifier.predict(known, view="full")
    days, context = days_known(known), held_context(known)
    return Answers(
        alert_id=alerts.alert_id,
        source_id=alerts.source_id,
        object_id=alerts.object_id,
        alert_time=alerts.alert_time,
        days=days,
        n_rows=known.lengths.astype(np.int32),
        probabilities=probabilities,
        leaf=classifier.decide(probabilities),
        confident=confident(classifier, probabilities, days, context),
        context=context,
        history_truncated=alerts.history_truncated,
        received=np.full(len(alerts), received),
        published=np.full(len(alerts), time.time()),
    )


def provenance(name: str, classifier: Classifier) -> Provenance:
    """Say who answers."""
    return Provenance(Path(name).name, classifier.fingerprint, classifier.tree)
