"""A classifier that knows what is strange: through its network, in steps, in files, on the command line."""

import dataclasses

import numpy as np
import pyarrow.parquet as pq
import pytest

import telperion
from telperion.acquainting import acquaint, alarms, look
from telperion.cli import main
from telperion.encode.view import days_known, held_context, keep_context, view
from telperion.formats import parquet
from telperion.saved import ModelFolderError
from telperion.simulate.drawn import draw

DAYS = (2.0, 64.0)


@pytest.fixture(scope="module")
def drawn_curves():
    return draw(n_per_class=24, seed=5)


@pytest.fixture(scope="module")
def acquainted(drawn_curves):
    classifier = telperion.load("plasticc-gru")
    states = look(classifier, drawn_curves, days=(0.0, 2.0, 8.0, 64.0, 256.0))
    return acquaint(classifier, states), states


def test_every_object_is_looked_at_as_predict_would(acquainted, drawn_curves):
    classifier, states = acquainted
    curves = keep_context(drawn_curves, "none")
    for day in (0.0, 8.0, 256.0):  # before and after forced photometry reaches back
        known = view(curves, day, classifier.view)
        mine = (states.kept == "none") & (states.moment == day)
        seen = known.lengths > 0
        np.testing.assert_array_equal(states.object_id[mine], known.object_id[seen])
        state = classifier.advance(classifier.start(len(known)), known)
        np.testing.assert_allclose(states.hidden[mine], state.hidden[seen, -1], atol=2e-5)
        np.testing.assert_array_equal(states.days[mine], days_known(known)[seen])
        np.testing.assert_array_equal(states.rows[mine], known.lengths[seen])


def test_neither_order_nor_company_nor_the_future_matters(acquainted, drawn_curves, rng):
    classifier, _ = acquainted
    curves = drawn_curves[:40]
    found = classifier.strangeness(curves, days=8.0)
    order = rng.permutation(40)
    np.testing.assert_allclose(classifier.strangeness(curves[order], days=8.0), found[order], atol=1e-3)
    alone = np.concatenate([classifier.strangeness(curves[k : k + 1], days=8.0) for k in range(5)])
    np.testing.assert_allclose(alone, found[:5], atol=1e-3)
    np.testing.assert_allclose(classifier.strangeness(curves.until(8.0), days=1000.0), found, atol=1e-3)


def test_steps_lead_to_the_same_number(acquainted, drawn_curves):
    classifier, _ = acquainted
    known = view(drawn_curves[:20], 64.0, classifier.view)
    half = known.lengths[known.object_index] // 2
    first = np.arange(known.n_rows) - known.offsets[known.object_index] < half
    state = classifier.advance(classifier.start(20), known.select_rows(first))
    state = classifier.advance(state, known.select_rows(~first))
    stepped = classifier.aliens.score(state.hidden[:, -1], state.days, known.lengths, held_context(known))
    np.testing.assert_allclose(stepped, classifier.strangeness(drawn_curves[:20], days=64.0), atol=1e-3)


def test_without_rows_there_is_no_number(acquainted, drawn_curves):
    curves = drawn_curves[:3]
    none = curves.select_rows(curves.object_index != 1)
    found = acquainted[0].strangeness(none)
    assert np.isnan(found).tolist() == [False, True, False]


def test_light_that_no_class_gives_is_strange(acquainted, drawn_curves, rng):
    """Rows in disorder: each object's fluxes at times that are not theirs, ten times as large and of either sign."""
    classifier, _ = acquainted
    some = drawn_curves[:60]
    odd = dataclasses.replace(some, flux=10 * rng.permutation(some.flux) * rng.choice([-1, 1], some.n_rows))
    assert np.nanmean(classifier.strangeness(odd)) > np.nanmean(classifier.strangeness(some)) + 0.2


def test_the_order_of_the_objects_taught_by_does_not_matter(acquainted, drawn_curves, rng):
    classifier, states = acquainted
    order = rng.permutation(len(states.days))
    other = acquaint(classifier, type(states)(*(values[order] for values in vars(states).values())))
    found = [each.strangeness(drawn_curves[:30], days=8.0) for each in (classifier, other)]
    np.testing.assert_allclose(*found, atol=0.01)


def test_alarms_are_counted_by_context_and_moment(acquainted):
    classifier, states = acquainted
    found = alarms(classifier, states, (0.0, 0.5, 1.0))
    assert len(found) == 15
    for shares in found.values():
        assert (np.diff(shares) <= 0).all()
        assert shares[0] > 0.9
        assert shares[2] == 0
    with pytest.raises(TypeError, match="does not know what is strange"):
        alarms(telperion.load("plasticc-gru"), states, (0.5,))


def test_a_saved_classifier_knows_as_much(acquainted, drawn_curves, tmp_path):
    classifier, _ = acquainted
    classifier.save(tmp_path / "saved")
    again = telperion.load(tmp_path / "saved")
    curves = drawn_curves[:20]
    np.testing.assert_array_equal(again.strangeness(curves), classifier.strangeness(curves))
    again.save(tmp_path / "again")
    names = ("aliens.npz", "classifier.json")
    assert all((tmp_path / "again" / n).read_bytes() == (tmp_path / "saved" / n).read_bytes() for n in names)
    (tmp_path / "saved" / "aliens.npz").write_bytes(b"other")
    with pytest.raises(ModelFolderError, match="altered"):
        telperion.load(tmp_path / "saved")


def test_classify_adds_a_column(acquainted, drawn_curves):
    classifier, _ = acquainted
    curves = drawn_curves[:10]
    table = classifier.classify(curves, days=DAYS, strangeness=True)
    assert table.column_names[-1] == "strangeness"
    expected = np.stack([classifier.strangeness(curves, days=day) for day in DAYS], axis=1).ravel()
    np.testing.assert_allclose(np.array(table["strangeness"]), expected, atol=1e-6)
    assert "strangeness" not in classifier.classify(curves, days=DAYS).column_names


def test_what_does_not_fit_is_refused(acquainted, drawn_curves):
    classifier, _ = acquainted
    with pytest.raises(TypeError, match="telperion aliens makes one that does"):
        telperion.load("plasticc-gru").strangeness(drawn_curves[:2])
    aliens = classifier.aliens
    with pytest.raises(ValueError, match="states have shape"):
        dataclasses.replace(telperion.load("elasticc"), aliens=aliens)
    with pytest.raises(ValueError, match="rise"):
        look(classifier, drawn_curves, days=(4.0, 2.0))
    with pytest.raises(ValueError, match="no object has a label"):
        look(classifier, dataclasses.replace(drawn_curves, label=np.full(len(drawn_curves), "")))


def test_the_command_line_acquaints_and_classifies(drawn_curves, tmp_path, capsys):
    parquet.write(drawn_curves, tmp_path / "data.parquet")
    data, made, out = (str(tmp_path / name) for name in ("data.parquet", "made", "out.parquet"))
    assert main(["aliens", "plasticc-gru", data, "-o", made, "--test", data, "-n", "16", "--markdown"]) == 0
    said = capsys.readouterr().out
    assert "False alarms on 224 objects" in said
    assert "nearest known object of the same class" in said
    assert main(["classify", data, "-m", made, "-o", out, "--days", "8", "--aliens"]) == 0
    found = np.array(pq.read_table(out)["strangeness"])
    assert ((found >= 0) & (found <= 1)).all()
    assert main(["classify", data, "-m", "plasticc-gru", "-o", out, "--aliens"]) == 2
    assert "does not know what is strange" in capsys.readouterr().err
