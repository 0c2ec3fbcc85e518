"""How fast answers are written, read and chosen, on one core: ``pytest benchmarks/test_answers.py --benchmark-only``.

1000 answers of 26 nodes, 19 of them leaves.
"""

import numpy as np
import pytest

from telperion.serve.answers import Answers, Provenance
from telperion.serve.avro_messages import AvroMessages, ElasticcMessages
from telperion.serve.filters import Filter
from telperion.serve.json_messages import JsonMessages, LasairMessages
from telperion.serve.read_answers import read_answers
from telperion.taxonomy import Taxonomy

N = 1000
TREE = Taxonomy.load("elasticc")
ABOUT = Provenance("elasticc", "8d1c4f6e2b7a", TREE)


@pytest.fixture(scope="module")
def answers() -> Answers:
    rng = np.random.default_rng(0)
    probabilities = TREE.probabilities(3 * rng.normal(size=(N, len(TREE)))).astype(np.float32)
    ids, received = rng.integers(10**17, 10**18, N), 1.78e9 + rng.random(N)
    return Answers(
        alert_id=ids,
        source_id=ids,
        object_id=rng.integers(10**17, 10**18, N).astype(np.str_),
        alert_time=61_000 + rng.random(N),
        days=100 * rng.random(N),
        n_rows=rng.integers(1, 200, N),
        probabilities=probabilities,
        leaf=TREE.leaf(probabilities),
        confident=TREE.confident(probabilities),
        context=np.array(["specz", "photoz", "none"])[rng.integers(0, 3, N)],
        history_truncated=rng.random(N) < 0.1,
        received=received,
        published=received + 0.05,
    )


def note(benchmark) -> None:
    benchmark.extra_info["answers_per_second"] = round(N / benchmark.stats.stats.median)


@pytest.mark.parametrize(
    "messages",
    [AvroMessages(ABOUT), ElasticcMessages(ABOUT), JsonMessages(ABOUT), LasairMessages(ABOUT, "telperion")],
    ids=["avro", "elasticc", "json", "lasair"],
)
def test_writing(benchmark, answers, messages):
    assert len(benchmark.pedantic(messages.encode, args=(answers,), rounds=50, warmup_rounds=5)) == N
    note(benchmark)


def test_a_table(benchmark, answers):
    assert benchmark.pedantic(answers.to_arrow, args=(ABOUT,), rounds=50, warmup_rounds=5).num_rows == N
    note(benchmark)


def test_reading(benchmark, answers):
    pytest.importorskip("numba")
    messages = AvroMessages(ABOUT)
    made, schemas = messages.encode(answers), {messages.schema_id: messages.schema}
    found, _ = benchmark.pedantic(read_answers, args=(made, schemas), rounds=50, warmup_rounds=5)
    assert len(found) == N
    note(benchmark)


def test_choosing(benchmark, answers):
    wanted = Filter.parse("TDE > 0.5 and days < 30 or confident in Fast", TREE)
    assert benchmark.pedantic(wanted.mask, args=(answers,), rounds=50, warmup_rounds=5).shape == (N,)
    note(benchmark)
