import dataclasses
import io
import json

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from telperion.formats.avro import schema_json
from telperion.serve.answers import Answers
from telperion.serve.avro_messages import AvroMessages, ElasticcMessages
from telperion.serve.broker_schemas import NOT_CLASSIFIED, RESIDUAL, avro_names, class_ids
from telperion.taxonomy import Taxonomy

fastavro = pytest.importorskip("fastavro", reason="the second opinion comes with telperion[dev]")


def decode(messages, bodies: list[bytes], header: int = 5) -> list[dict]:
    schema = fastavro.parse_schema(json.loads(schema_json(messages.schema)))
    result = []
    for body in bodies:
        stream = io.BytesIO(body[header:])
        result.append(fastavro.schemaless_reader(stream, schema, None))
        assert stream.read() == b""  # to the last byte
    return result


def check(record: dict, answers: Answers, k: int, tree: Taxonomy) -> None:
    assert (record["alertId"], record["diaSourceId"]) == (answers.alert_id[k], answers.source_id[k])
    assert record["objectId"] == answers.object_id[k]
    for name, column in (("alertMjd", answers.alert_time), ("days", answers.days)):
        assert record[name] == (None if np.isnan(column[k]) else column[k])
    assert record["nObservations"] == answers.n_rows[k]
    assert record["context"] == answers.context[k]
    assert record["historyTruncated"] == answers.history_truncated[k]
    assert record["leaf"] == tree.nodes[answers.leaf[k]]
    assert record["confidentNode"] == tree.nodes[answers.confident[k]]
    assert list(record["probabilities"]) == list(avro_names(tree.nodes))
    assert list(record["probabilities"].values()) == answers.probabilities[k].tolist()
    assert abs(record["brokerIngestTimestamp"].timestamp() - answers.received[k]) < 1e-6
    assert abs(record["brokerPublishTimestamp"].timestamp() - answers.published[k]) < 1e-6
    assert_allclose(record["latency"], answers.latency[k], rtol=1e-6)
    assert (record["classifierName"], record["classifierVersion"]) == ("some classifier", "1a2b 50 %")
    assert (record["treeName"], record["brokerName"], record["brokerVersion"]) == (tree.name, '"B"', "0.1")
    assert_allclose(record["promisedLevel"], 0.9, rtol=1e-6)


@pytest.mark.parametrize("n", [0, 1, 60])
def test_fastavro_reads_our_messages(make_answers, about, elasticc, odd, n):
    for tree in (elasticc, odd):
        answers, messages = make_answers(tree, n), AvroMessages(about(tree), schema_id=7)
        made = messages.encode(answers)
        assert {message[:5] for message in made} <= {b"\0\0\0\0\7"}
        for k, record in enumerate(decode(messages, made)):
            check(record, answers, k, tree)
        assert len(made) == n


@pytest.mark.parametrize("codec", ["null", "deflate"])
def test_fastavro_reads_our_files(make_answers, about, odd, codec):
    answers = make_answers(odd, 300)
    file = fastavro.reader(io.BytesIO(AvroMessages(about(odd)).container(answers, codec)))
    for k, record in enumerate(file):
        check(record, answers, k, odd)
    assert k == 299
    fields = {field["name"]: field for field in file.writer_schema["fields"]}
    assert tuple(field["doc"] for field in fields["probabilities"]["type"]["fields"]) == odd.nodes


def test_a_message_of_26_nodes_is_small(make_answers, about, elasticc):
    assert max(map(len, AvroMessages(about(elasticc)).encode(make_answers(elasticc, 100)))) < 300


def test_broker_classifications_are_the_leaves_and_the_rest(make_answers, about, elasticc):
    answers, messages = make_answers(elasticc, 100), ElasticcMessages(about(elasticc), "some parameters")
    records = decode(messages, messages.encode(answers), header=0)
    for k, record in enumerate(records):
        said = {item["classId"]: item["probability"] for item in record["classifications"]}
        assert len(said) == len(record["classifications"])
        assert_allclose(sum(said.values()), 1, atol=1e-6)
        if answers.n_rows[k]:
            assert list(said) == [*class_ids(elasticc), RESIDUAL]
            assert_allclose(list(said.values())[:-1], answers.probabilities[k, elasticc.leaves], atol=1e-6)
            assert 0 <= said[RESIDUAL] < 1e-6
        else:
            assert said == {NOT_CLASSIFIED: 1.0}
        assert (record["alertId"], record["diaSourceId"]) == (answers.alert_id[k], answers.source_id[k])
        for name in ("elasticcPublishTimestamp", "brokerIngestTimestamp"):
            assert abs(record[name].timestamp() - answers.received[k]) < 0.001
        assert (record["classifierName"], record["classifierParams"]) == (
            "some classifier 1a2b 50 %",
            "some parameters",
        )
        assert (record["brokerName"], record["brokerVersion"]) == ('"B"', "0.1")
    assert {len(record["classifications"]) for record in records} == {1, 20}


def test_fastavro_reads_them_by_the_schema_of_elasticc_itself(make_answers, about, elasticc, lsst_data):
    file = lsst_data / "alerts" / "schema" / "elasticc" / "elasticc.v0_9_1.brokerClassification.avsc"
    if not file.is_file():
        pytest.skip(f"no schema at {file}")
    schema, messages = fastavro.parse_schema(json.loads(file.read_text())), ElasticcMessages(about(elasticc))
    made = messages.encode(make_answers(elasticc, 20))
    own = decode(messages, made, header=0)
    assert [fastavro.schemaless_reader(io.BytesIO(message), schema, None) for message in made] == own


def with_leaves(answers: Answers, tree: Taxonomy, leaves: np.ndarray) -> Answers:
    """The same answers with other probabilities of leaves and nothing above them."""
    values = np.zeros((len(answers), len(tree)), dtype=np.float32)
    values[:, tree.leaves] = leaves
    return dataclasses.replace(
        answers, probabilities=values, n_rows=np.ones(len(answers), int), days=0.0 * leaves[:, 0]
    )


@pytest.mark.parametrize("total", [1.0, 1 + 9e-4, 0.75, 0.0])
def test_what_is_residual_is_never_below_zero_and_all_sums_to_one(make_answers, about, elasticc, rng, total):
    n = 2000
    leaves = (total * rng.dirichlet(np.full(19, 0.3), n)).astype(np.float32)
    messages = ElasticcMessages(about(elasticc))
    made = messages.encode(with_leaves(make_answers(elasticc, n), elasticc, leaves))
    shares = np.array(
        [[item["probability"] for item in record["classifications"]] for record in decode(messages, made, header=0)]
    )
    assert (shares >= 0).all()
    assert_allclose(shares.sum(axis=1), 1, rtol=0, atol=2e-7)
    assert_allclose(shares[:, -1], max(1 - total, 0), atol=1e-6)


def test_probabilities_that_sum_to_more_than_one_are_refused(make_answers, about, elasticc):
    leaves = np.full((5, 19), 1 / 19)
    leaves[3] = 0.1
    with pytest.raises(ValueError, match=r"more than one for 1 alerts, first to 1\.9000 at alert 3"):
        ElasticcMessages(about(elasticc)).encode(with_leaves(make_answers(elasticc, 5), elasticc, leaves))


def test_when_elasticc_sent_an_alert_can_be_said(make_answers, about, elasticc):
    answers, messages = make_answers(elasticc, 3), ElasticcMessages(about(elasticc), schema_id=9)
    made = messages.encode(answers, sent=answers.received - 7)
    assert made[0][:5] == b"\0\0\0\0\x09"
    for k, record in enumerate(decode(messages, made)):
        assert abs(record["elasticcPublishTimestamp"].timestamp() - answers.received[k] + 7) < 0.001
    with pytest.raises(ValueError, match="elasticcPublishTimestamp"):
        messages.encode(answers, sent=[1.0])


def test_an_empty_batch_makes_no_message(make_answers, about, elasticc):
    assert ElasticcMessages(about(elasticc)).encode(make_answers(elasticc, 0)) == []


def test_a_tree_without_class_numbers_is_refused_at_once(about, odd, elasticc):
    with pytest.raises(ValueError, match="no classes of ELAsTiCC's, first 'b'"):
        ElasticcMessages(about(odd))
    for kind in (AvroMessages, ElasticcMessages):
        with pytest.raises(ValueError, match="the schema id is -1"):
            kind(about(elasticc), schema_id=-1)


def test_answers_along_another_tree_are_refused(make_answers, about, elasticc, odd):
    for kind in (AvroMessages, ElasticcMessages):
        with pytest.raises(ValueError, match="along a tree of 12 nodes"):
            kind(about(elasticc)).encode(make_answers(odd, 3))


def test_order_is_kept(make_answers, about, elasticc):
    answers, messages = make_answers(elasticc, 50), AvroMessages(about(elasticc))
    ids = [record["alertId"] for record in decode(messages, messages.encode(answers))]
    assert_array_equal(ids, answers.alert_id)
