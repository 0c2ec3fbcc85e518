"""What adapters say is what the classifier and the stream say."""

import subprocess
import sys

import numpy as np
from numpy.testing import assert_allclose, assert_array_equal

from telperion.adopt.ask import ask, loaded, provenance
from telperion.adopt.histories import of_records
from telperion.serve.engine import Engine


class Nothing:
    """States of objects that nobody saw before."""

    def read(self, keys):
        return [None] * len(keys)


def test_answers_are_those_of_predict(sky, held, elasticc):
    answers = ask(elasticc, of_records(held.object_id, held.sources, held.forced))
    probabilities = elasticc.predict(sky)
    assert_allclose(answers.probabilities, probabilities, atol=1e-6)
    assert_array_equal(answers.leaf, elasticc.decide(probabilities))
    assert_array_equal(answers.n_rows, sky.lengths)
    assert set(answers.context) == {"none"}
    assert (answers.confident > 0).any()


def test_answers_are_those_of_the_stream(held, elasticc):
    n = len(held.object_id)
    context = {"mwebv": np.full(n, 0.1), "hostgal_photoz": np.where(np.arange(n) % 2, 0.3, np.nan)}
    histories = of_records(held.object_id, held.sources, held.forced, context=context)
    streamed = Engine(elasticc, Nothing()).answer(histories.alerts, np.full(n, 1.78e9)).answers
    answers = ask(elasticc, histories)
    assert_allclose(answers.probabilities, streamed.probabilities, atol=1e-5)
    for name in ("source_id", "object_id", "alert_time", "days", "n_rows", "leaf", "confident", "context"):
        assert_array_equal(getattr(answers, name), getattr(streamed, name), err_msg=name)


def test_forced_photometry_before_thirty_days_is_not_looked_at(held, elasticc):
    first = [min(row["midpointMjdTai"] for row in some) for some in held.sources]
    early = [
        [{"midpointMjdTai": time - 31.0, "band": "r", "psfFlux": 5e4, "psfFluxErr": 1.0}, *some]
        for time, some in zip(first, held.forced, strict=True)
    ]
    answers = ask(elasticc, of_records(held.object_id, held.sources, early))
    expected = ask(elasticc, of_records(held.object_id, held.sources, held.forced))
    assert_array_equal(answers.probabilities, expected.probabilities)
    assert_array_equal(answers.n_rows, expected.n_rows)


def test_nothing_is_promised_of_nothing(held, elasticc):
    answers = ask(elasticc, of_records(["a", "b"], [[], []], [[], held.forced[0]]))  # never detected
    assert answers.n_rows.tolist() == [0, 0]
    assert answers.confident.tolist() == [0, 0]
    assert np.isnan(answers.days).all()
    leaves = elasticc.tree.leaves
    assert_allclose(answers.probabilities[:, leaves], [elasticc.mix, elasticc.mix], rtol=1e-5)


def test_a_classifier_is_loaded_once_and_named_by_its_last_folder(elasticc):
    assert loaded("elasticc") is loaded("elasticc")
    said = provenance("some/where/ours", elasticc)
    assert (said.classifier, said.version) == ("ours", elasticc.fingerprint)


def test_adapters_need_nothing_but_the_core_until_they_are_asked():
    """A broker's process has neither torch nor another broker's packages."""
    names = "antares, ask, fink, lasair"
    code = f"import sys; from telperion.adopt import {names}; ask.loaded('elasticc'); print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    heavy = {"torch", "pandas", "pyspark", "antares_devkit", "lasair", "pydantic", "lmdb", "confluent_kafka", "numba"}
    assert heavy.isdisjoint(done.stdout.split())
