import dataclasses
import io
import json

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from telperion.formats.avro import parse_schema, schema_json
from telperion.formats.avro_write import container, encode
from telperion.serve.answers import Answers
from telperion.serve.avro_messages import AvroMessages, ElasticcMessages
from telperion.serve.read_answers import read_answers

pytest.importorskip("numba", reason="decoding needs telperion[stream]")
pytest.importorskip("hypothesis", reason="made-up values come with telperion[dev]")
import hypothesis
from hypothesis import strategies as st

EXACT = [item.name for item in dataclasses.fields(Answers) if item.name not in ("received", "published")]


def check(found: Answers, answers: Answers) -> None:
    for name in EXACT:
        assert_array_equal(getattr(found, name), getattr(answers, name))
    for name in ("received", "published"):
        assert_allclose(getattr(found, name), getattr(answers, name), rtol=0, atol=1e-6)


@pytest.mark.parametrize("n", [0, 1, 300])
def test_what_is_written_is_read(make_answers, about, elasticc, odd, n, tmp_path):
    for tree in (elasticc, odd):
        answers, messages = make_answers(tree, n), AvroMessages(about(tree))
        (tmp_path / "answers.avro").write_bytes(messages.container(answers, "deflate"))
        from_registry = {100: parse_schema(messages.schema_json)}
        for found, nodes in (
            read_answers(messages.encode(answers), {100: messages.schema}),
            read_answers(messages.encode(answers), from_registry),
            read_answers(messages.container(answers)),
            read_answers(tmp_path / "answers.avro"),
        ):
            check(found, answers)
            assert nodes == tree.nodes


def test_what_fastavro_writes_is_read(make_answers, about, elasticc):
    fastavro = pytest.importorskip("fastavro", reason="the second opinion comes with telperion[dev]")
    answers, messages = make_answers(elasticc, 30), AvroMessages(about(elasticc))
    schema, file = fastavro.parse_schema(json.loads(messages.schema_json)), io.BytesIO()
    fastavro.writer(file, schema, fastavro.reader(io.BytesIO(messages.container(answers))))
    found, nodes = read_answers(file.getvalue())
    check(found, answers)
    assert nodes == elasticc.nodes


TIMES = st.floats(0, 4e9)
ROWS = st.tuples(
    st.integers(-(2**63), 2**63 - 1),
    st.integers(-(2**63), 2**63 - 1),
    st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=40),
    st.one_of(st.just(np.nan), st.floats(-1e6, 1e6)),
    st.one_of(st.just(np.nan), st.floats(0, 1e5)),
    TIMES,
    TIMES,
)


@hypothesis.settings(derandomize=True, database=None, deadline=None, max_examples=150)
@hypothesis.given(rows=st.lists(ROWS, min_size=1, max_size=6))
def test_ids_and_times_of_any_kind_come_back(rows, make_answers, about, elasticc):
    alert_id, source_id, object_id, alert_time, days, received, published = zip(*rows, strict=True)
    days = np.array(days)
    answers = dataclasses.replace(
        make_answers(elasticc, len(rows)),
        alert_id=np.array(alert_id, dtype=np.int64),
        source_id=np.array(source_id, dtype=np.int64),
        object_id=np.array(object_id, dtype=np.str_),
        alert_time=np.array(alert_time),
        days=days,
        n_rows=np.where(np.isnan(days), 0, 3),
        received=np.array(received),
        published=np.array(published),
    )
    messages = AvroMessages(about(elasticc))
    check(read_answers(messages.encode(answers), {100: messages.schema})[0], answers)


def test_what_are_no_answers_of_ours_is_said(make_answers, about, elasticc):
    answers, messages = make_answers(elasticc, 5), AvroMessages(about(elasticc))
    made, schemas = messages.encode(answers), {100: messages.schema}
    cases = [
        (([made[0], made[1][:-1], made[2][:9]], schemas), r"2 of 3 answers are broken, first 1: the packet ends too"),
        ((made, {}), "the schema id 100 is unknown"),
        (([*made, b"\0\0\0\0\1"], schemas), "of several schemas: 1, 100"),
        (([b"Obj\1abc"], schemas), "not Confluent's wire format"),
        (([b"\0\0\0"], schemas), "not Confluent's wire format"),
        (([], {}), "there is no message"),
        ((messages.container(answers)[:-1],), "cut short"),
        ((b"abc",), "the file begins with b'abc'"),
        ((container(ElasticcMessages(about(elasticc)).schema, []),), "Classfication' is not that of telperion"),
    ]
    for given, message in cases:
        with pytest.raises(ValueError, match=message):
            read_answers(*given)


def test_a_node_that_the_schema_does_not_know_is_said(make_answers, about, elasticc):
    messages = AvroMessages(about(elasticc))
    text = messages.schema_json.replace('"doc": "TDE"', '"doc": "another"')
    tde = np.flatnonzero(make_answers(elasticc, 400).leaf == elasticc.index("TDE"))[:1]
    with pytest.raises(ValueError, match="name 'TDE', which is no node"):
        read_answers(messages.encode(make_answers(elasticc, 400)[tde]), {100: parse_schema(text)})


def test_a_schema_of_a_later_version_with_more_fields_is_read(make_answers, about, elasticc):
    fastavro = pytest.importorskip("fastavro", reason="the second opinion comes with telperion[dev]")
    answers, messages = make_answers(elasticc, 4), AvroMessages(about(elasticc))
    later = json.loads(schema_json(messages.schema))
    later["fields"].insert(3, {"name": "anew", "type": "string"})
    schema = parse_schema(later)
    records = list(fastavro.reader(io.BytesIO(messages.container(answers))))
    for record in records:
        for name in ("brokerIngestTimestamp", "brokerPublishTimestamp"):
            record[name] = round(1e6 * record[name].timestamp())
    check(read_answers(container(schema, [encode(schema, {**one, "anew": "x"}) for one in records]))[0], answers)
