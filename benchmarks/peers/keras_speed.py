"""How long ORACLE's published network takes in Keras, and how long ours, in one run on one core.

    python -m benchmarks.peers.keras_speed FOLDER --model elasticc

Keras reads light curves padded to 500 rows that lie ready as arrays; weights are untrained, which costs the same. Ours
encodes as well. Medians of several, by the clock and of the processor's time: on a busy machine only the latter tells.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from typing import Any

import numpy as np

import telperion
from benchmarks.exported import ROWS, session
from benchmarks.peers.measure import repeated
from benchmarks.peers.oracle_keras import build, encode, one_thread
from telperion.encode.sequence import compile_loops
from telperion.encode.view import view
from telperion.examination.timing import one_core, processor
from telperion.export.feed import feed
from telperion.export.write import export

BATCH = 2000
LONGEST = 20.0
"""Seconds after which a measurement is not repeated: a direct call of a recurrent Keras model takes seconds."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", help="folder of light curves")
    parser.add_argument("--model", default="elasticc", help="one of ours, of kind gru")
    parser.add_argument("--repeats", type=int, default=5, help="of a batch; of one object forty times as many")
    arguments = parser.parse_args()
    classifier = telperion.load(arguments.model)
    curves = telperion.read(arguments.data)
    curves = curves[np.isfinite(curves.first_detection)][:BATCH]
    known = view(repeated(curves, BATCH), np.inf, classifier.view)
    print(
        f"{processor()}, {known.lengths.mean():.0f} rows a light curve on the mean, {known.lengths.max()} at most",
        flush=True,
    )
    with one_core():
        theirs = keras_times(known, len(classifier.tree), arguments.repeats)
        ours = our_times(classifier, known, arguments.model, arguments.repeats)
    print("\n| | ms an object | of the processor |\n|:--|--:|--:|")
    for what, (wall, processor_time) in (theirs | ours).items():
        print(f"| {what} | {wall:.4g} | {processor_time:.4g} |")
    print("\n| Keras over ours | times | of the processor |\n|:--|--:|--:|")
    for their, our in (
        ("predict, batch of 2,000", "Classifier.predict, 2,000 light curves"),
        ("model(x), batch of 2,000", "Classifier.predict, 2,000 light curves"),
        ("compiled call, batch of 2,000", "Classifier.predict, 2,000 light curves"),
        ("predict, one", "Classifier.predict, one light curve"),
        *(
            (f"{how}, one", our)
            for how in ("predict", "model(x)", "compiled call")
            for our in ("Classifier.step, one observation", "exported step, one observation")
        ),
    ):
        if f"Keras {their}" in theirs:
            wall, processor_time = (a / b for a, b in zip(theirs[f"Keras {their}"], ours[our], strict=True))
            print(f"| Keras {their} / {our} | {wall:.1f} | {processor_time:.1f} |")


def keras_times(known: telperion.LightCurves, n_nodes: int, repeats: int) -> dict[str, tuple[float, float]]:
    """Time the ways to ask a Keras model: `predict`, a direct call, and a compiled one (TensorFlow only)."""
    import keras

    if keras.backend.backend() == "tensorflow":
        one_thread()
    elif keras.backend.backend() == "torch":
        import torch

        torch.set_num_threads(1)
    print(f"Keras {keras.__version__} on {keras.backend.backend()}", flush=True)
    model = build(n_nodes)
    many, one = encode(known), encode(known[:1])
    ways: dict[str, Callable[[Any], Any]] = {
        "predict": lambda x: model.predict(x, batch_size=BATCH, verbose=0),
        "model(x)": lambda x: keras.ops.convert_to_numpy(model(x, training=False)),
    }
    if keras.backend.backend() == "tensorflow":
        import tensorflow

        compiled = tensorflow.function(lambda x: model(x, training=False), reduce_retracing=True)
        ways["compiled call"] = lambda x: compiled([tensorflow.constant(part) for part in x]).numpy()
    found = {}
    for name, way in ways.items():
        found[f"Keras {name}, batch of 2,000"] = timed(lambda way=way: way(many), repeats, BATCH)
        found[f"Keras {name}, one"] = timed(lambda way=way: way(one), min(40 * repeats, 60))
        print(f"Keras {name}: done", flush=True)
    return found


def our_times(
    classifier: telperion.Classifier, known: telperion.LightCurves, name: str, repeats: int
) -> dict[str, tuple[float, float]]:
    """Time whole light curves and one more observation, by the classifier and by the exported graph."""
    compile_loops()  # as a stream and a large set have them
    one, several = known[:1], 40 * repeats
    last = np.isin(np.arange(known.n_rows), known.offsets[1:] - 1)
    row = known.select_rows(last)
    _, state = classifier.step(classifier.start(len(known)), known.select_rows(~last))
    run = session(export(classifier, name=name, form="step"))
    inputs = exported_row(row, state)
    single = {key: values[:1] for key, values in inputs.items()}
    return {
        "Classifier.predict, 2,000 light curves": timed(lambda: classifier.predict(known, view="full"), repeats, BATCH),
        "Classifier.predict, one light curve": timed(lambda: classifier.predict(one, view="full"), several),
        "Classifier.step, one observation": timed(lambda: classifier.step(state[:1], row[:1]), several),
        "Classifier.step, one of 2,000": timed(lambda: classifier.step(state, row), repeats, BATCH),
        "exported step, one observation": timed(lambda: run.run(None, single), several),
        "exported step, one of 2,000": timed(lambda: run.run(None, inputs), repeats, BATCH),
    }


def exported_row(row: telperion.LightCurves, state: Any) -> dict[str, np.ndarray]:
    """Give the inputs of the exported step: one row an object, and what the rows before left."""
    given = feed(row)
    inputs = {key: given[key][:, 0] for key in ROWS} | {key: given[key] for key in ("context", "given", "ebv")}
    return inputs | {"memory": state.memory, "state": state.hidden}


def timed(work: Callable[[], object], repeats: int, objects: int = 1) -> tuple[float, float]:
    """Give medians by the clock and of the processor's time, ms an object; one run goes before, untimed."""
    work()
    taken = []
    for _ in range(repeats):
        start = time.perf_counter(), time.process_time()
        work()
        taken.append((time.perf_counter() - start[0], time.process_time() - start[1]))
        if sum(wall for wall, _ in taken) > LONGEST:
            break
    wall, processor_time = 1000 * np.median(taken, axis=0) / objects
    return float(wall), float(processor_time)


if __name__ == "__main__":
    main()
