"""The user function, on pandas' columns and inside Spark."""

import os
import shutil
import sys

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from telperion.adopt import fink
from telperion.adopt.ask import ask
from telperion.adopt.histories import NEEDED, of_records

pd = pytest.importorskip("pandas", reason="pandas comes with telperion[dev]")


@pytest.fixture
def columns(held):
    """Eight columns of lists, indexed as a filtered frame is; the last object has no forced photometry."""
    index = np.arange(len(held.object_id)) * 3 + 10
    made = [
        pd.Series([[row[name] for row in some] for some in lists], index=index)
        for lists in (held.sources, held.forced)
        for name in NEEDED
    ]
    for column in made[4:]:
        column.iloc[-1] = None
    return made


@pytest.fixture
def answers(held, elasticc):
    return ask(elasticc, of_records(held.object_id, held.sources, [*held.forced[:-1], []]))


def check(table, answers, elasticc):
    nodes = np.array(elasticc.tree.nodes)
    assert_allclose(np.stack(table["probabilities"].tolist()), answers.probabilities, atol=1e-6)
    assert_array_equal(table["leaf"].to_numpy(dtype=str), nodes[answers.leaf])
    assert_array_equal(table["promised"].to_numpy(dtype=str), nodes[answers.confident])
    assert_allclose(table["days"], answers.days)
    assert_array_equal(table["observations"], answers.n_rows)
    assert_allclose(table["leaf_probability"], answers.probabilities[np.arange(len(answers)), answers.leaf], atol=1e-6)
    assert set(table["version"]) == {elasticc.fingerprint}


def test_a_row_an_alert_with_its_index(columns, answers, elasticc):
    table = fink.classify(*columns)
    assert table.index.equals(columns[0].index)
    check(table, answers, elasticc)
    assert (table["useless"] == 0).all()
    assert len(fink.nodes()) == len(table["probabilities"].iloc[0])


def test_arrays_are_as_good_as_lists(columns, answers, elasticc):
    arrays = [column.map(lambda some: None if some is None else np.array(some)) for column in columns]
    check(fink.classify(*arrays), answers, elasticc)


def test_without_forced_photometry_and_with_dust(held, columns, elasticc):
    ebv = pd.Series([0.2, None, *[0.0] * (len(held.object_id) - 2)], index=columns[0].index)
    table = fink.classify(*columns[:4], ebv=ebv)
    known = of_records(held.object_id, held.sources, context={"mwebv": ebv.to_numpy(dtype=float)})
    check(table, ask(elasticc, known), elasticc)


def test_alerts_without_an_observation_of_use_have_no_leaf(columns):
    columns[2].iloc[0] = [float("nan")] * len(columns[2].iloc[0])
    for column in columns[:4]:
        column.iloc[1] = []
    table = fink.classify(*columns[:4])
    assert table["leaf"].isna().tolist() == [True, True, *[False] * (len(table) - 2)]
    assert table["observations"].iloc[:2].tolist() == [0, 0]
    assert table["useless"].iloc[:2].tolist() == [len(columns[2].iloc[0]), 0]
    assert table["promised"].iloc[0] == fink.nodes()[0]
    assert table["probabilities"].iloc[0].sum() > 0


def test_no_alerts_give_no_rows(columns):
    assert len(fink.classify(*[column.iloc[:0] for column in columns])) == 0


def test_what_does_not_fit_is_refused(columns):
    with pytest.raises(ValueError, match="forced photometry needs all of"):
        fink.classify(*columns[:5])
    columns[1].iloc[2] = ["r"]
    with pytest.raises(ValueError, match=r"band of sources has lists of another length .* first '2'"):
        fink.classify(*columns)


# -- Spark ------------------------------------------------------------------------------------------------------------

_SOURCE = (
    "struct<diaSourceId: bigint, midpointMjdTai: double, band: string, psfFlux: float, psfFluxErr: float, "
    "psfFlux_flag: boolean, psfFlux_flag_edge: boolean, pixelFlags_saturatedCenter: boolean, "
    "timeWithdrawnMjdTai: double>"
)
_FORCED = "struct<midpointMjdTai: double, band: string, psfFlux: float, psfFluxErr: float>"


@pytest.fixture(scope="module")
def spark():
    sql = pytest.importorskip("pyspark.sql", reason="Spark comes with telperion[brokers]")
    if shutil.which("java") is None:
        pytest.skip("Spark needs Java")
    os.environ["PYSPARK_PYTHON"] = os.environ["PYSPARK_DRIVER_PYTHON"] = sys.executable
    settings = {"spark.ui.enabled": "false", "spark.driver.bindAddress": "127.0.0.1", "spark.driver.memory": "1g"}
    builder = sql.SparkSession.builder.master("local[1]").appName("telperion").config("spark.driver.host", "127.0.0.1")
    for name, value in settings.items():
        builder = builder.config(name, value)
    session = builder.getOrCreate()
    yield session
    session.stop()


@pytest.mark.timeout(600)
def test_in_spark_alerts_of_rubins_schema_get_the_same_answers(spark, held, answers, elasticc):
    from pyspark.sql.functions import expr

    fields = [part.split(":")[0].strip() for part in _SOURCE.removeprefix("struct<").split(",")]
    flagged = {"psfFlux": 9e5, "psfFlux_flag": True, "timeWithdrawnMjdTai": None}
    rows = []
    for name, sources, forced in zip(held.object_id, held.sources, [*held.forced[:-1], None], strict=True):
        packed = [tuple(source.get(field) for field in fields) for source in sources]
        spoilt = tuple((sources[0] | {"midpointMjdTai": 60000.0} | flagged).get(field) for field in fields)
        rest = None if forced is None else [tuple(row[field] for field in NEEDED) for row in forced]
        rows.append((name, packed[-1], [*packed[:-1], spoilt] if len(packed) > 2 else packed[:-1] or None, rest))
    schema = f"name string, diaSource {_SOURCE}, prvDiaSources array<{_SOURCE}>, prvDiaForcedSources array<{_FORCED}>"
    frame = spark.createDataFrame(rows, schema)
    arguments = [expr(text) for text in fink.expressions(fields, NEEDED)]
    said = frame.withColumn("telperion", fink.udf()(*arguments)).select("name", "telperion.*")
    table = said.toPandas()
    assert table["name"].tolist() == held.object_id
    check(table, answers, elasticc)
    assert said.where("array_max(probabilities) <= 1.00001").count() == len(table)
