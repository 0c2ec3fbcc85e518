import numpy as np
import pytest

import telperion
from telperion.encode.view import held_context, view
from telperion.formats.alerts import Alerts
from telperion.serve.engine import Engine
from telperion.simulate.drawn import draw


class Kept(dict):
    """States in memory."""

    def read(self, keys):
        return [self.get(key) for key in keys]


@pytest.fixture(scope="module")
def curves():
    drawn = draw(n_per_class=1, seed=5)
    return drawn.with_context(dict(drawn.context) | {"ra": np.arange(len(drawn)), "decl": np.zeros(len(drawn))})


def detections(curves, most=25):
    """Detections of all objects, no more than `most` of each, in the order of time."""
    rows = np.flatnonzero(curves.detected)
    first = np.searchsorted(rows, curves.offsets[:-1])
    rows = rows[np.arange(rows.size) - first[curves.object_index[rows]] < most]
    return rows[np.argsort(curves.time[rows], kind="stable")]


def whole(classifier, alerts: Alerts) -> np.ndarray:
    """What the classifier says of all that each alert shows."""
    return classifier.predict(view(alerts.light_curves(), kind="alert"), view="full")


def run(engine, kept, batches):
    answers = []
    for alerts in batches:
        batch = engine.answer(alerts, np.full(len(alerts), 1.8e9))
        assert (batch.answers.alert_id == alerts.alert_id).all()
        assert (batch.packet == alerts.packet).all()
        kept.update(batch.states)
        answers.append(batch)
    return answers


def cut(alerts: Alerts, size):
    return [alerts[k : k + size] for k in range(0, len(alerts), size)]


@pytest.mark.parametrize("settle", [0.0, 3.0, 30.0])
@pytest.mark.parametrize("late", [0.0, 2.0])
@pytest.mark.parametrize("size", [1, 40])
def test_the_stream_answers_as_the_whole_light_curve_does(flagship, curves, alerts_of, rng, settle, late, size):
    rows = detections(curves, 25 if size > 1 else 6)
    alerts = alerts_of(curves, rows, late * rng.lognormal(0, 0.7, curves.n_rows))
    kept = Kept()
    batches = run(Engine(flagship, kept, settle=settle), kept, cut(alerts, size))
    said = np.concatenate([batch.answers.probabilities for batch in batches])
    same = (
        np.concatenate([batch.answers.n_rows for batch in batches]) == view(alerts.light_curves(), kind="alert").lengths
    )
    assert same.mean() > 0.8  # the others have rows that their packet shows no more
    np.testing.assert_allclose(said[same], whole(flagship, alerts)[same], atol=1e-5)
    assert sum(batch.work.new for batch in batches) == np.unique(alerts.object_id).size


def test_what_an_object_is_promised_and_decided_is_what_the_classifier_says(flagship, curves, alerts_of):
    alerts, kept = alerts_of(curves, detections(curves, 3)), Kept()
    answers = Engine(flagship, kept).answer(alerts, np.full(len(alerts), 1.8e9)).answers
    table = flagship.classify(view(alerts.light_curves(), kind="alert"))
    nodes = np.array(flagship.tree.nodes)
    assert nodes[answers.leaf].tolist() == table["leaf"].to_pylist()
    assert nodes[answers.confident].tolist() == table["confident_node"].to_pylist()
    assert (answers.context == held_context(alerts.light_curves())).all()


def test_settled_rows_are_gone_through_once(flagship, curves, alerts_of):
    alerts, kept = alerts_of(curves, detections(curves)), Kept()
    batches = run(Engine(flagship, kept, settle=0), kept, cut(alerts, 30))
    replayed = sum(batch.work.replays for batch in batches)
    shown = view(alerts.light_curves(), kind="alert").n_rows
    assert sum(batch.work.rows for batch in batches) < shown / 3
    assert replayed < len(alerts) / 5  # the first forced photometry reaches back


@pytest.mark.parametrize("change", ["corrected", "withdrawn", "added", "first withdrawn", "redshift"])
def test_what_changes_in_a_history_changes_the_answer(flagship, curves, alerts_of, change):
    objects = np.flatnonzero(np.bincount(curves.object_index[curves.detected], minlength=len(curves)) > 8)
    rows = np.array([np.flatnonzero(curves.detected & (curves.object_index == o))[7] for o in objects])
    second = np.array([np.flatnonzero(curves.detected & (curves.object_index == o))[1] for o in objects])
    first = np.array([np.flatnonzero(curves.detected & (curves.object_index == o))[0] for o in objects])
    kept, engine = Kept(), None
    engine = Engine(flagship, kept, settle=0)
    hidden = second if change == "added" else ()
    run(engine, kept, [alerts_of(curves, rows - 0, hidden=hidden)])
    later = np.array([np.flatnonzero(curves.detected & (curves.object_index == o))[8] for o in objects])
    changed, gone = curves, ()
    if change == "corrected":
        flux = curves.flux.copy()
        flux[second] *= 1.5
        changed = telperion.LightCurves(
            curves.object_id, curves.offsets, curves.time, curves.band, flux, curves.flux_err, curves.detected,
            dict(curves.context), curves.label,
        )  # fmt: skip
    elif change == "redshift":
        context = {
            name: values * (1.3 if "specz" in name or name == "redshift" else 1)
            for name, values in curves.context.items()
        }
        changed = curves.with_context(context)
    elif change != "added":
        gone = second if change == "withdrawn" else first
    alerts = alerts_of(changed, later, first_id=1000, hidden=gone)
    (batch,) = run(engine, kept, [alerts])
    shown = view(alerts.light_curves(), kind="alert")
    in_window = batch.answers.n_rows == shown.lengths
    assert in_window.mean() > 0.8
    if change != "redshift":
        assert batch.work.replays >= in_window.sum() / 2
    np.testing.assert_allclose(batch.answers.probabilities[in_window], whole(flagship, alerts)[in_window], atol=1e-5)


def test_an_alert_that_comes_late_is_answered_by_its_own_history_and_changes_no_state(flagship, curves, alerts_of):
    rows = detections(curves, 5)
    alerts = alerts_of(curves, rows)
    order = np.argsort(-alerts.alert_time, kind="stable")
    kept = Kept()
    batches = run(Engine(flagship, kept, settle=1), kept, cut(alerts[order], 7))
    said = np.concatenate([batch.answers.probabilities for batch in batches])
    np.testing.assert_allclose(said, whole(flagship, alerts)[order], atol=1e-5)
    assert sum(batch.work.late for batch in batches) > len(alerts) / 2
    again = Kept()
    run(Engine(flagship, again, settle=1), again, cut(alerts, 7))
    newest = alerts_of(curves, detections(curves, 6)[-10:], first_id=500)
    (one,), (two,) = (run(Engine(flagship, states, settle=1), states, [newest]) for states in (kept, again))
    same = one.answers.n_rows == two.answers.n_rows  # one of them may know rows that are shown no more
    assert same.sum() >= 5
    np.testing.assert_allclose(one.answers.probabilities[same], two.answers.probabilities[same], atol=1e-5)


def test_an_alert_is_answered_once(flagship, curves, alerts_of):
    alerts, kept = alerts_of(curves, detections(curves, 4)), Kept()
    engine = Engine(flagship, kept)
    first = engine.answer(alerts, np.full(len(alerts), 1.8e9))
    kept.update(first.states)
    again = engine.answer(alerts, np.full(len(alerts), 1.8e9))
    assert len(first.answers) == len(alerts)
    assert len(again.answers) == 0
    assert again.work.repeated == len(alerts)
    assert again.answers.probabilities.shape == (0, len(flagship.tree))


def test_a_damaged_record_is_made_anew_from_the_history(flagship, curves, alerts_of, rng):
    rows, kept = detections(curves, 6), Kept()
    alerts = alerts_of(curves, rows)
    engine, half = Engine(flagship, kept), len(rows) // 2
    run(engine, kept, [alerts[:half]])
    for key, value in kept.items():
        wrong = bytearray(value)
        wrong[int(rng.integers(len(wrong)))] ^= 4
        kept[key] = bytes(wrong)
    (batch,) = run(engine, kept, [alerts[half:]])
    assert batch.work.damaged > 0
    np.testing.assert_allclose(batch.answers.probabilities, whole(flagship, alerts[half:]), atol=1e-5)


def test_a_history_older_than_the_packets_window_stays_known(flagship, alerts_of, rng):
    n = 60
    time = np.sort(rng.uniform(60_000, 60_900, n))
    curves = telperion.LightCurves(
        ["1"], [0, n], time, rng.integers(0, 6, n), rng.uniform(900, 3000, n), np.full(n, 40.0), np.ones(n, dtype=bool),
        {"mwebv": np.zeros(1)},
    )  # fmt: skip
    kept = Kept()
    alerts = alerts_of(curves, np.arange(n))
    batches = run(Engine(flagship, kept, settle=2), kept, cut(alerts, 1))
    last = batches[-1].answers
    assert last.n_rows[0] == n > alerts.offsets[-1] - alerts.offsets[-2]
    assert sum(batch.work.replays for batch in batches) == 0
    assert not last.history_truncated[0]
    np.testing.assert_allclose(last.probabilities, flagship.predict(curves, view="full"), atol=1e-5)
    (fresh,) = run(Engine(flagship, Kept()), Kept(), [alerts[-1:]])
    assert fresh.answers.history_truncated[0]


def test_an_alert_without_a_usable_row_is_answered_by_what_is_known_beforehand(flagship, curves, alerts_of):
    alerts = alerts_of(curves, detections(curves, 1), hidden=np.arange(curves.n_rows))
    batch = Engine(flagship, Kept()).answer(alerts, np.full(len(alerts), 1.8e9))
    assert np.isnan(batch.answers.days).all()
    assert (batch.answers.confident == 0).all()
    np.testing.assert_allclose(batch.answers.probabilities[:, flagship.tree.leaves].sum(axis=1), 1, atol=1e-5)


def test_a_classifier_that_no_stream_can_use_is_refused():
    with pytest.raises(ValueError, match="reads whole light curves"):
        Engine(telperion.load("plasticc"), Kept())
    with pytest.raises(ValueError, match="settle is -1"):
        Engine(telperion.load("elasticc"), Kept(), settle=-1)
