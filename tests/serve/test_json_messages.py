import dataclasses
import json

import numpy as np
import pytest
from numpy.testing import assert_allclose

from telperion.serve.avro_messages import AvroMessages
from telperion.serve.json_messages import JsonMessages, LasairMessages


def strict(message: bytes) -> dict:
    def refuse(word: str) -> None:
        raise ValueError(f"{word} is not JSON")

    return json.loads(message.decode("utf-8"), parse_constant=refuse)


@pytest.mark.parametrize("n", [0, 1, 60])
def test_objects_say_what_the_answers_say(make_answers, about, elasticc, odd, n):
    for tree in (elasticc, odd):
        answers, messages = make_answers(tree, n), JsonMessages(about(tree))
        for k, message in enumerate(messages.encode(answers)):
            record = strict(message)
            assert (record["alertId"], record["diaSourceId"]) == (answers.alert_id[k], answers.source_id[k])
            assert record["objectId"] == answers.object_id[k]
            for name, column in (("alertMjd", answers.alert_time), ("days", answers.days)):
                assert record[name] == (None if np.isnan(column[k]) else column[k])
            assert record["nObservations"] == answers.n_rows[k]
            assert record["context"] == answers.context[k]
            assert record["historyTruncated"] is bool(answers.history_truncated[k])
            assert record["leaf"] == tree.nodes[answers.leaf[k]]
            assert record["confidentNode"] == tree.nodes[answers.confident[k]]
            assert tuple(record["probabilities"]) == tree.nodes
            assert_allclose(list(record["probabilities"].values()), answers.probabilities[k], rtol=1e-6)
            assert_allclose(record["brokerIngestTimestamp"], answers.received[k], rtol=0, atol=1e-6)
            assert_allclose(record["brokerPublishTimestamp"], answers.published[k], rtol=0, atol=1e-6)
            assert_allclose(record["latency"], answers.latency[k], rtol=0, atol=1e-3)
            assert (record["treeName"], record["classifierName"]) == (tree.name, "some classifier")
            assert (record["classifierVersion"], record["promisedLevel"]) == ("1a2b 50 %", 0.9)
            assert (record["brokerName"], record["brokerVersion"]) == ('"B"', "0.1")


def test_fields_are_those_of_our_avro(make_answers, about, elasticc):
    record = strict(JsonMessages(about(elasticc)).encode(make_answers(elasticc, 1))[0])
    assert set(record) == set(AvroMessages(about(elasticc)).schema.fields)


def test_a_file_has_an_object_a_line(make_answers, about, odd):
    messages, answers = JsonMessages(about(odd)), make_answers(odd, 9)
    lines = messages.lines(answers)
    assert lines.endswith(b"}\n")
    assert lines.splitlines() == messages.encode(answers)


def test_annotations_have_what_lasair_asks_for(make_answers, about, elasticc, odd):
    for tree in (elasticc, odd):
        answers = make_answers(tree, 60)
        messages = LasairMessages(about(tree), '"topic" 5 %', url="https://example.org/{objectId}?a=%20")
        for k, message in enumerate(messages.encode(answers)):
            record = strict(message)
            fields = ["objectId", "topic", "version", "classification", "explanation", "classdict", "url"]
            assert list(record) == fields
            assert record["objectId"] == answers.object_id[k]
            assert (record["topic"], record["version"]) == ('"topic" 5 %', "1a2b 50 %")
            assert record["classification"] == tree.nodes[answers.confident[k]] != ""
            assert record["explanation"]
            assert tuple(record["classdict"]) == tree.nodes
            assert_allclose(list(record["classdict"].values()), answers.probabilities[k], rtol=1e-6)
            if answers.object_id[k] == "ψ Per":
                assert record["url"] == "https://example.org/%CF%88%20Per?a=%20"


def test_explanations_are_plain_words(make_answers, about, elasticc):
    answers = make_answers(elasticc, 4)
    values = np.zeros((4, 26), dtype=np.float32)
    values[:, elasticc.index("TDE")] = 0.834
    known = dataclasses.replace(
        answers,
        probabilities=values,
        leaf=np.full(4, elasticc.index("TDE")),
        confident=np.array([0, elasticc.index("Long"), 0, elasticc.index("TDE")]),
        n_rows=np.array([1, 12, 0, 3]),
        days=np.array([0, 8.25, np.nan, 2]),
        context=np.array(["none", "photoz", "specz", "specz"]),
    )
    said = LasairMessages(about(elasticc), "t").explanations(known)
    assert said[0] == (
        "Best guess TDE with probability 0.83; promised at 90 %: nothing yet. "
        "It stands on 1 observation up to 0.0 days after the first detection and nothing else."
    )
    assert "promised at 90 %: Long. It stands on 12 observations up to 8.2 days" in said[1]
    assert "without a spectrum" in said[1]
    assert said[2] == "No observation is of use yet, so this is the class mix alone."
    assert said[3].endswith("and a spectroscopic redshift.")


def test_an_empty_batch_makes_no_annotation(make_answers, about, elasticc):
    assert LasairMessages(about(elasticc), "t").encode(make_answers(elasticc, 0)) == []
    assert JsonMessages(about(elasticc)).lines(make_answers(elasticc, 0)) == b""


def test_answers_along_another_tree_are_refused(make_answers, about, elasticc, odd):
    for messages in (JsonMessages(about(elasticc)), LasairMessages(about(elasticc), "t")):
        with pytest.raises(ValueError, match="along a tree of 12 nodes"):
            messages.encode(make_answers(odd, 3))
    with pytest.raises(ValueError, match="needs a topic"):
        LasairMessages(about(elasticc), "")
