import numpy as np
import pyarrow as pa
import pytest
from tests.scale.made_up import forced, row, rubin

import telperion
from telperion.scale.columns import understand
from telperion.scale.job import Job, check_distinct


def job(table: pa.Table, model: str = "elasticc", **settings) -> Job:
    return Job(model, understand(table.schema), **settings)


@pytest.mark.parametrize("model", ["elasticc", "plasticc-gru"])
@pytest.mark.parametrize("context", ["specz", "none"])
def test_answers_are_those_of_the_classifier(curves, model, context):
    from telperion.encode.view import keep_context

    table = curves.to_arrow()
    made, mended = job(table, model, days=(2.0, np.inf), context=context, objects=17).classify(table)
    expected = telperion.load(model).classify(keep_context(curves, context), days=[2.0, np.inf])
    assert made.column("object_id").equals(expected.column("object_id"))
    assert made.column_names == ["object_id", "ra", "decl", *expected.column_names[1:]]
    for name in expected.column_names[1:]:
        one, other = made[name].to_numpy(), expected[name].to_numpy()
        if one.dtype.kind == "f":
            np.testing.assert_allclose(one, other, atol=2e-6)
        else:
            np.testing.assert_array_equal(one, other)
    assert not mended


def test_ids_keep_their_type_and_objects_without_rows_their_place():
    table = rubin([[row(61000.0)], [], [row(61000.0, None)]], [[], [forced(61000.0)], None])
    made, mended = job(table, days=(2.0, 8.0)).classify(table)
    assert made.column("diaObjectId").to_pylist() == [10**17, 10**17, 10**17 + 1, 10**17 + 1, 10**17 + 2, 10**17 + 2]
    assert made.column("n_obs").to_pylist() == [1, 1, 0, 0, 0, 0]
    assert made.column("confident_node").to_pylist()[2:] == ["Alert"] * 4
    assert mended == {"no flux": 1, "no E(B-V)": 3}


def test_no_object_gives_the_same_columns_as_many():
    table = rubin([[row(61000.0)]], [[]])
    some, _ = job(table).classify(table)
    none, _ = job(table).classify(table.slice(0, 0))
    assert none.num_rows == 0
    assert none.schema.equals(some.schema)


def test_an_object_twice_is_refused_though_it_is_in_another_slice():
    table = rubin([[row(61000.0)]] * 3, diaObjectId=[5, 6, 5])
    with pytest.raises(ValueError, match="diaObjectId is repeated for 1 objects, first '5'"):
        job(table, objects=1).classify(table)
    check_distinct(pa.chunked_array([[1, 2]]), "name")


def test_another_classifier_than_the_one_meant_is_refused():
    table = rubin([[]])
    with pytest.raises(ValueError, match="another classifier on this worker"):
        job(table, fingerprint="of another").classify(table)


@pytest.mark.parametrize(
    ("settings", "words"),
    [({"strangeness": True}, "does not know what is strange"), ({"level": 0.9}, "promises nothing")],
)
def test_what_a_classifier_cannot_is_refused(settings, words):
    with pytest.raises(ValueError, match=words):
        job(rubin([[]]), "plasticc-gru", **settings).classifier()


def test_a_column_that_is_called_as_an_answer_is_refused():
    table = rubin([[row(61000.0)]]).rename_columns(["leaf", "ra", "dec", "diaSource"])
    asked = Job("elasticc", understand(table.schema, {"leaf": "object_id"}))
    with pytest.raises(ValueError, match="'leaf' of the catalogue is called as one of the answer"):
        asked.classify(table)
