"""What exported files weigh, cost and are worth beside the classifier that they were made of.

    telperion simulate elasticc -n 4500 -o sky/ && python benchmarks/exported.py elasticc sky/ --objects 4000

On one core; times are medians of several runs, and the fastest in brackets, on the first objects, 8 days after their
first detections. Without a context (``--context``) it only takes times.
"""

import argparse
import time
import warnings
from collections.abc import Callable

import numpy as np
import onnxruntime

import telperion
from telperion.encode.view import keep_context, view
from telperion.evaluate import evaluate
from telperion.export.feed import feed
from telperion.export.write import export

DAYS = (2.0, 8.0, 64.0, 1024.0)
WEIGHTS = ("float32", "float16", "int8")
ROWS = ("time", "band", "flux", "flux_err", "detected")
BATCH = 100


def session(content: bytes) -> onnxruntime.InferenceSession:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    return onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])


def answers(run: onnxruntime.InferenceSession, light_curves: telperion.LightCurves) -> np.ndarray:
    """Classify light curves whole, those of about one length together."""
    order = np.argsort(light_curves.lengths, kind="stable")
    parts = [order[first : first + BATCH] for first in range(0, len(order), BATCH)]
    said = np.concatenate([run.run(["probabilities"], feed(light_curves[part]))[0] for part in parts])
    return said[np.argsort(np.concatenate(parts))]


def milliseconds(work: Callable[[], object], repeats: int) -> str:
    work()
    taken = []
    for _ in range(repeats):
        started = time.perf_counter()
        work()
        taken.append(time.perf_counter() - started)
    return f"{1000 * np.median(taken):.2f} ({1000 * min(taken):.2f})"


def step_times(run: onnxruntime.InferenceSession, light_curves: telperion.LightCurves) -> list[str]:
    """Time one row an object, for 2,000 objects and for one; the row is each object's first."""
    given, taken = feed(light_curves), []
    shapes = {each.name: each.shape for each in run.get_inputs()}
    for size, repeats in ((2000, 9), (1, 200)):
        chosen = np.resize(np.arange(len(light_curves)), size)
        row = {name: given[name][chosen, 0] for name in ROWS}
        row |= {name: given[name][chosen] for name in ("context", "given", "ebv")}
        row["memory"] = np.zeros((size, shapes["memory"][1]))
        row["state"] = np.zeros((size, *shapes["state"][1:]), np.float32)
        _, _, row["memory"], row["state"] = run.run(None, row)
        row["time"] = row["time"] + 1.0
        taken.append(milliseconds(lambda row=row: run.run(None, row), repeats))
    return taken


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("model")
    parser.add_argument("data")
    parser.add_argument("--objects", type=int, default=4000)
    parser.add_argument("--context", nargs="*", default=["specz", "none"])
    arguments = parser.parse_args()
    warnings.simplefilter("ignore")
    classifier = telperion.load(arguments.model)
    curves = telperion.read(arguments.data)
    curves = curves[~np.isnan(curves.first_detection)][: arguments.objects]
    labels = classifier.tree.labels(curves.label)

    def macro_f1(said: np.ndarray) -> float:
        scores = evaluate(said, labels, classifier.tree, decided=classifier.decide(said), mix=classifier.mix)
        return scores["leaves"].macro.f1

    files = {kept: export(classifier, name=arguments.model, weights=kept) for kept in WEIGHTS}
    whole = {kept: session(content) for kept, content in files.items()}
    few = view(curves[:2000], 8.0, "alert")
    one = few[:1]
    print("weights, bytes, and milliseconds: step of 2000, step of 1, whole of 2000, whole of 1")
    for kept, run in whole.items():
        content = export(classifier, name=arguments.model, form="step", weights=kept)
        times = step_times(session(content), few)
        times.append(milliseconds(lambda run=run: answers(run, few), 3))
        alone = feed(one)
        times.append(milliseconds(lambda run=run, alone=alone: run.run(None, alone), 30))
        print(kept, len(files[kept]), len(content), *times, flush=True)
    state = classifier.start(len(few))
    first = few.select_rows(np.isin(np.arange(few.n_rows), few.offsets[:-1]))
    step = [
        milliseconds(lambda: classifier.step(state, first), 5),
        milliseconds(lambda: classifier.step(state[:1], first[:1]), 100),
        milliseconds(lambda: classifier.predict(few, view="full"), 3),
        milliseconds(lambda: classifier.predict(one, view="full"), 30),
    ]
    print("telperion", *step, f"({few.n_rows} rows, {one.n_rows} of the first)", flush=True)
    for context in arguments.context:
        for days in DAYS:
            known = view(keep_context(curves, context), days, "alert")
            expected = classifier.predict(known, view="full")
            line = [f"predict {macro_f1(expected):.4f}"]
            for kept, run in whole.items():
                said = answers(run, known)
                line.append(f"{kept} {macro_f1(said):.4f} (off by {np.abs(said - expected).max():.1e} at most)")
            print(context, f"{days:g} d:", ", ".join(line), flush=True)


if __name__ == "__main__":
    main()
