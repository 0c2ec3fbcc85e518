import dataclasses

import numpy as np
import pyarrow.parquet as pq
import pytest

from telperion.serve.answers import Answers, Provenance
from telperion.taxonomy import Taxonomy


def same(left: Answers, right: Answers) -> bool:
    return all(
        np.array_equal(
            getattr(left, item.name), getattr(right, item.name), equal_nan=item.type == "NDArray[np.float64]"
        )
        for item in dataclasses.fields(Answers)
    )


def test_parts_join_to_the_whole(make_answers, elasticc):
    answers = make_answers(elasticc, 20)
    mask = answers.n_rows > 100
    order = np.concatenate([np.flatnonzero(mask), np.flatnonzero(~mask)])
    assert same(Answers.concatenate([answers[mask], answers[~mask]]), answers[order])
    assert same(Answers.concatenate([answers[:7], answers[7:7], answers[[]], answers[7:]]), answers)
    assert len(answers[3]) == 1
    assert len(answers[:0]) == len(make_answers(elasticc, 0)) == 0


def test_answers_of_trees_of_other_sizes_are_not_joined(make_answers, elasticc, odd):
    with pytest.raises(ValueError, match=r"these have \[12, 26\] nodes"):
        Answers.concatenate([make_answers(elasticc, 2), make_answers(odd, 2)])
    with pytest.raises(ValueError, match="no nodes"):
        Answers.concatenate([])


def test_columns_have_their_types_whatever_they_were_given_as(make_answers, elasticc):
    answers = make_answers(elasticc, 3)
    given = {item.name: getattr(answers, item.name).tolist() for item in dataclasses.fields(Answers)}
    again = Answers(**given)
    assert same(answers, again)
    assert again.n_rows.dtype == np.int32
    assert again.probabilities.dtype == np.float32


def test_latency_is_in_milliseconds(make_answers, elasticc):
    answers = make_answers(elasticc, 1)
    late = dataclasses.replace(answers, published=answers.received + 0.25)
    np.testing.assert_allclose(late.latency, 250, atol=1e-3)


@pytest.mark.parametrize(
    ("name", "change", "message"),
    [
        ("alert_id", lambda v: v.astype(float), "alert_id is of float64, expected int64"),
        ("alert_id", lambda v: v.astype(np.uint64) + np.uint64(2**63), "does not fit int64 for 5 alerts"),
        ("n_rows", lambda v: v.astype(np.int64) + 2**31, "does not fit int32 for 5 alerts, first at alert 0"),
        ("n_rows", lambda v: v - 1000, "n_rows is below zero for 5 alerts"),
        ("object_id", lambda v: np.arange(5), "object_id is of int64, expected str"),
        ("days", lambda v: v[:4], r"days has shape \(4,\), alert_id \(5,\)"),
        ("days", lambda v: v * np.nan, "days are NaN though there are rows"),
        ("days", lambda v: np.nan_to_num(v), "or known without one for"),
        ("days", lambda v: v * 0 - 1, "infinite or below zero"),
        ("alert_time", lambda v: v * 0 + np.inf, "alert_time is infinite"),
        ("probabilities", lambda v: v[:, 0], "probabilities has shape"),
        (
            "probabilities",
            lambda v: np.where(np.arange(5)[:, None] == 3, np.nan, v),
            "not finite for 1 alerts.*alert 3",
        ),
        ("probabilities", lambda v: v - 1, "not within 0 to 1"),
        ("probabilities", lambda v: v + 0.1, "not within 0 to 1"),
        ("leaf", lambda v: v + 26, "leaf is none of the 26 nodes for 5 alerts, first at alert 0"),
        ("confident", lambda v: v * 0 - 1, "confident is none of the 26 nodes"),
        ("context", lambda v: np.full(5, "redshift"), "context is none of specz, photoz, none"),
        ("history_truncated", lambda v: v.astype(int), "history_truncated is of int64, expected bool"),
        ("received", lambda v: v * np.nan, "received is not within 0 to 1e"),
        ("published", lambda v: 1e6 * v, "published is not within 0 to 1e"),
    ],
)
def test_what_cannot_be_is_refused_with_the_first_alert(make_answers, elasticc, name, change, message):
    answers = make_answers(elasticc, 5)
    with pytest.raises(ValueError, match=message):
        dataclasses.replace(answers, **{name: change(getattr(answers, name))})


def test_a_table_keeps_everything(make_answers, about, elasticc, tmp_path):
    answers = make_answers(elasticc, 40)
    pq.write_table(answers.to_arrow(about(elasticc)), tmp_path / "answers.parquet")
    table = pq.read_table(tmp_path / "answers.parquet")
    assert table.column("alert_id").to_pylist() == answers.alert_id.tolist()
    assert table.column("object_id").to_pylist() == answers.object_id.tolist()
    assert table.column("n_obs").to_pylist() == answers.n_rows.tolist()
    assert table.column("days").to_pylist() == [None if np.isnan(day) else day for day in answers.days]
    assert table.column("leaf").to_pylist() == [elasticc.nodes[node] for node in answers.leaf]
    assert table.column("confident_node").to_pylist() == [elasticc.nodes[node] for node in answers.confident]
    for place, name in enumerate(elasticc.nodes):
        np.testing.assert_array_equal(table.column(name), answers.probabilities[:, place])
    seconds = [moment.timestamp() for moment in table.column("published").to_pylist()]
    np.testing.assert_allclose(seconds, answers.published, rtol=0, atol=1e-6)
    assert set(table.column("classifier_version").to_pylist()) == {"1a2b 50 %"}
    assert table.schema.metadata[b"level"] == b"0.9"


def test_an_empty_batch_has_the_same_columns(make_answers, about, elasticc):
    assert make_answers(elasticc, 0).to_arrow(about(elasticc)).schema == (
        make_answers(elasticc, 5).to_arrow(about(elasticc)).schema
    )


def test_a_node_that_is_called_as_a_column_is_refused_in_tables(make_answers, about, odd):
    with pytest.raises(ValueError, match="'days' is called as another column"):
        make_answers(odd, 2).to_arrow(about(odd))


def test_answers_along_another_tree_are_refused(make_answers, about, elasticc, odd):
    answers = make_answers(elasticc, 4)
    with pytest.raises(ValueError, match="26 nodes, 'odd % tree' has 12"):
        answers.to_arrow(about(odd))
    with pytest.raises(ValueError, match="leaf is not a leaf of the tree for 4 alerts"):
        about(elasticc).check(dataclasses.replace(answers, leaf=np.zeros(4, dtype=np.int64)))


def test_a_provenance_needs_a_name_and_a_level(elasticc):
    with pytest.raises(ValueError, match="the level is 90"):
        Provenance("a", "b", elasticc, level=90)
    with pytest.raises(ValueError, match="needs a name"):
        Provenance("", "b", elasticc)
    assert Provenance("a", "b", Taxonomy.load("plasticc")).level == 0.9
