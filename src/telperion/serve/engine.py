"""`Engine`: from alerts to answers, going on from each object's stored state where its history allows."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from telperion.classifier import Classifier
from telperion.encode.view import HISTORY, held_context
from telperion.formats.alerts import Alerts
from telperion.lightcurves import LightCurves
from telperion.serve.answers import Answers
from telperion.serve.digests import REPLAY, WINDOW, context_digests, resume, row_days, row_digests
from telperion.serve.records import Layout, Records
from telperion.serve.waves import waves

SETTLE = 3.0
"""Days after which photometry of a visit is taken as complete: the state that is kept ends so long before the alert."""


class States(Protocol):
    """Where records are kept."""

    def read(self, keys: list[bytes]) -> list[bytes | None]:
        """Give the records of objects, None where there is none."""
        ...


@dataclass
class Work:
    """What a batch took: counts that sum from batch to batch.

    Parameters
    ----------
    alerts : int
        Answered.
    repeated : int
        Not answered, because they were before.
    replays, new, late : int
        Of the answered: gone through from the start although the object was known; of objects that were not; older than
        what was answered of their object.
    rows : int
        That the network went through.
    damaged : int
        Records that were of no use.
    """

    alerts: int = 0
    repeated: int = 0
    replays: int = 0
    new: int = 0
    late: int = 0
    rows: int = 0
    damaged: int = 0


@dataclass(eq=False)
class Batch:
    """What comes of a batch of alerts.

    Parameters
    ----------
    answers : Answers
    packet : array of int64, shape ``(n_answers,)``
        Which packet each answers.
    states : dict of bytes to bytes
        Records to be kept.
    work : Work
    """

    answers: Answers
    packet: NDArray[np.int64]
    states: dict[bytes, bytes] = field(default_factory=dict)
    work: Work = field(default_factory=Work)

    @classmethod
    def join(cls, parts: Sequence[Batch]) -> Batch:
        """Put batches one after the other, the first of which gave its states to the next, and so on."""
        work = Work(**{name: sum(getattr(part.work, name) for part in parts) for name in vars(Work())})
        answers = Answers.concatenate([part.answers for part in parts])
        return cls(answers, np.concatenate([part.packet for part in parts]), parts[-1].states, work)


class Engine:
    """Answers alerts one batch at a time.

    The state that is kept of an object ends `settle` days before its latest alert, since rows up to then hardly change
    any more; the rows after it are gone through with each alert. Where rows before it did change (photometry that came
    late, was corrected or withdrawn) or the context did, the alert's whole history is gone through again. Either way
    the answer is that of the whole light curve.

    Parameters
    ----------
    classifier : Classifier
        A steppable one of the alert view.
    states : States
    settle : float, d

    Raises
    ------
    ValueError
        The classifier is not steppable, or of the full view.
    """

    def __init__(self, classifier: Classifier, states: States, *, settle: float = SETTLE) -> None:
        if not classifier.steppable:
            raise ValueError(f"a classifier of kind {classifier.kind!r} reads whole light curves: no stream can use it")
        if classifier.view != "alert":
            raise ValueError(f"the classifier is of the {classifier.view} view; a stream knows what alerts tell")
        if not settle >= 0:
            raise ValueError(f"settle is {settle}, expected days, at least 0")
        self.classifier, self.settle = classifier, settle
        self._states, self._layout = states, Layout(classifier.start(1))

    def answer(
        self,
        alerts: Alerts,
        received: NDArray[np.float64],
        context: Mapping[str, NDArray[np.float64]] | None = None,
        states: Mapping[bytes, bytes] | None = None,
    ) -> Batch:
        """Answer a batch of alerts, those of one object in their order.

        Parameters
        ----------
        alerts : Alerts
            Of one survey.
        received : array, shape ``(n_alerts,)``, s
            When they came, Unix time.
        context : mapping of str to array, shape ``(n_alerts,)``, optional
            Known from elsewhere: it counts where the alerts say nothing.
        states : mapping of bytes to bytes, optional
            Records that are newer than those which are kept: of a batch before that is not committed yet.

        Raises
        ------
        ValueError
            An alert holds what no light curve can be made of.
        """
        curves = _curves(alerts, context or {})
        work, answers, places = Work(), [], []
        fresh = dict(states or {})
        keys = [name.encode() for name in alerts.object_id.tolist()]
        for wave in waves(alerts.object_id):
            part = [keys[k] for k in wave.tolist()]
            whole = wave.size == len(alerts)
            some, place = self._wave(
                alerts, curves if whole else curves[wave], wave, part, self._records(part, fresh, work), received, work,
                fresh,
            )  # fmt: skip
            answers.append(some)
            places.append(place)
        if not answers:
            nobody, none = np.zeros(0, dtype=np.int64), np.zeros((0, len(self.classifier.tree)), np.float32)
            return Batch(self._answers(alerts, curves, nobody, none, {}, received), nobody, fresh, work)
        place = np.concatenate(places)
        order = np.argsort(place, kind="stable")
        return Batch(Answers.concatenate(answers)[order], alerts.packet[place[order]], fresh, work)

    def _records(self, keys: list[bytes], fresh: Mapping[bytes, bytes], work: Work) -> Records:
        """Read records: those of this batch first."""
        kept = iter(self._states.read([key for key in keys if key and key not in fresh]))
        values = [fresh[key] if key in fresh else next(kept) if key else None for key in keys]
        records, damaged = self._layout.unpack(keys, values)
        work.damaged += damaged
        return records

    def _wave(
        self, alerts: Alerts, curves: LightCurves, wave: NDArray[np.int64], keys: list[bytes], records: Records,
        received: NDArray[np.float64], work: Work, fresh: dict[bytes, bytes],
    ) -> tuple[Answers, NDArray[np.int64]]:  # fmt: skip
        """Answer one alert an object."""
        again = (records.head["answered"] == alerts.alert_id[wave, None]).any(axis=1) & records.found
        if again.any():
            work.repeated += int(again.sum())
            keep = np.flatnonzero(~again)
            wave, curves, keys = wave[keep], curves[keep], [keys[k] for k in keep.tolist()]
            records = _chosen(records, keep)
        head, alert_time = records.head, alerts.alert_time[wave]
        late = ~(alert_time >= head["alert_time"])  # or nobody knows when it was
        context, first = context_digests(curves), np.fmin(curves.first_detection, head["first_detection"])
        curves, begin = self._shown(curves, records, context, first, alert_time)
        replay = begin == REPLAY
        begin = np.maximum(begin, 0)
        within = np.arange(curves.n_rows) - curves.offsets[:-1][curves.object_index]
        settled = np.bincount(
            curves.object_index[curves.time <= (alert_time - self.settle)[curves.object_index]], minlength=len(curves)
        )
        settled = np.where(late, begin, np.maximum(settled, begin))
        state = self._layout.state(np.where(replay & records.found, self._layout.blank, head))
        started, middle = begin[curves.object_index], settled[curves.object_index]
        if (settled > begin).any():
            state = self.classifier.advance(state, curves.select_rows((within >= started) & (within < middle)))
        probabilities, last = self.classifier.step(state, curves.select_rows(within >= middle))
        n_rows = np.where(replay, 0, head["n_rows"]) + curves.lengths - begin
        truncated = np.where(replay | ~records.found, alerts.history_truncated[wave], head["truncated"])
        new = head.copy()
        self._layout.put(new, state)
        new["context"], new["truncated"], new["alert_time"] = context, truncated, alert_time
        new["first_detection"] = np.where(replay, curves.first_detection, first)
        new["n_rows"] = n_rows - (curves.lengths - settled)
        kept = within < middle
        digests, days = row_digests(curves)[kept], row_days(curves)[kept]
        updated = Records(records.found, new, digests, days, np.concatenate([[0], np.cumsum(settled)]))
        self._keep(keys, records, updated, late, alerts.alert_id[wave], fresh)
        work.alerts += wave.size
        work.rows += int((curves.lengths - begin).sum())
        work.new += int((~records.found).sum())
        work.replays += int((replay & records.found).sum())
        work.late += int(late.sum())
        about = {"days": last.days, "n_rows": n_rows, "history_truncated": truncated}
        return self._answers(alerts, curves, wave, probabilities, about, received), wave

    def _shown(
        self, curves: LightCurves, records: Records, context: NDArray[np.uint64], first: NDArray[np.float64],
        alert_time: NDArray[np.float64],
    ) -> tuple[LightCurves, NDArray[np.int64]]:  # fmt: skip
        """Cut light curves to the alert view, and tell from which row on the states have not seen them."""
        shown = _since(curves, first)
        stored = records.digests, records.days, records.offsets
        begin = resume(stored, (row_digests(shown), shown.offsets), np.nan_to_num(alert_time))
        ahead = records.head["alert_time"] - alert_time
        begin[~((ahead > -np.inf) & (ahead < WINDOW))] = REPLAY  # long before what is known, or at an unknown time
        begin[records.found & (records.head["context"] != context)] = REPLAY
        begin[~records.found] = 0
        if ((begin == REPLAY) & (first < curves.first_detection)).any():  # what was the first detection is none now
            shown = _since(curves, np.where(begin == REPLAY, curves.first_detection, first))
        return shown, begin

    def _keep(
        self, keys: list[bytes], old: Records, new: Records, late: NDArray[np.bool_], alert_id: NDArray[np.int64],
        fresh: dict[bytes, bytes],
    ) -> None:  # fmt: skip
        """Pack the records of a wave; of a late alert only that it was answered."""
        answered = np.roll(old.head["answered"], 1, axis=1)
        answered[:, 0] = alert_id
        if late.any():
            old.head["answered"] = answered
            place = np.flatnonzero(late)
            some = [keys[k] for k in place.tolist()]
            fresh.update(zip(some, self._layout.pack(some, _chosen(old, place)), strict=True))
        new.head["answered"] = answered
        named = np.array([bool(key) for key in keys], dtype=bool)
        if (place := np.flatnonzero(~late & named)).size == len(keys):
            fresh.update(zip(keys, self._layout.pack(keys, new), strict=True))
        else:
            some = [keys[k] for k in place.tolist()]
            fresh.update(zip(some, self._layout.pack(some, _chosen(new, place)), strict=True))

    def _answers(
        self, alerts: Alerts, curves: LightCurves, wave: NDArray[np.int64], probabilities: NDArray[np.float32],
        about: Mapping[str, Any], received: NDArray[np.float64],
    ) -> Answers:  # fmt: skip
        classifier, n = self.classifier, wave.size
        days = about.get("days", np.full(n, np.nan))
        context = held_context(curves)
        return Answers(
            alert_id=alerts.alert_id[wave],
            source_id=alerts.source_id[wave],
            object_id=alerts.object_id[wave],
            alert_time=alerts.alert_time[wave],
            days=days,
            n_rows=about.get("n_rows", np.zeros(n)).astype(np.int32),
            probabilities=probabilities,
            leaf=classifier.decide(probabilities),
            confident=confident(classifier, probabilities, days, context),
            context=context,
            history_truncated=about.get("history_truncated", np.zeros(n)).astype(bool),
            received=received[wave],
            published=np.full(n, time.time()),
        )


def confident(
    classifier: Classifier, probabilities: NDArray[np.float32], days: NDArray[np.float64], context: NDArray[np.str_]
) -> NDArray[np.int64]:
    """Give the deepest node that is promised, or of a classifier that promises nothing has a probability above .9.

    Parameters
    ----------
    classifier : Classifier
    probabilities : array, shape ``(n_objects, n_nodes)``
    days : array, shape ``(n_objects,)``, d
        NaN without rows: nothing is promised then.
    context : array of str, shape ``(n_objects,)``
        As `telperion.encode.view.held_context` says.

    Returns
    -------
    array of int64, shape ``(n_objects,)``
        Node positions; 0, the root, promises nothing.
    """
    if classifier.promise is None:
        nodes = classifier.tree.confident(probabilities, 0.9)
    else:
        nodes = classifier.promised(probabilities, np.nan_to_num(days), context)
    return np.where(np.isnan(days), 0, nodes)


def _curves(alerts: Alerts, context: Mapping[str, NDArray[np.float64]]) -> LightCurves:
    """Give what alerts show, with context from elsewhere, corrected for the Milky Way's dust."""
    known = {
        name: np.where(np.isnan(said := alerts.context.get(name, np.nan)), values, said)
        for name, values in context.items()
    }
    curves = alerts.light_curves(known.get("mwebv"))
    return curves.with_context(dict(curves.context) | known) if known else curves


def _since(curves: LightCurves, first_detection: NDArray[np.float64]) -> LightCurves:
    """Keep the rows that the alert view shows of objects that were first detected then; none, if never."""
    return curves.select_rows(curves.time >= (first_detection - HISTORY)[curves.object_index])


def _chosen(records: Records, which: NDArray[np.int64]) -> Records:
    """Select records by position, in order."""
    lengths = np.diff(records.offsets)
    mask = np.zeros(lengths.size, dtype=bool)
    mask[which] = True
    rows = np.repeat(mask, lengths)
    offsets = np.concatenate([[0], np.cumsum(lengths[which])])
    return Records(records.found[which], records.head[which], records.digests[rows], records.days[rows], offsets)
