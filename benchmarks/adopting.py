"""What brokers' adapters cost: one object a call, and a thousand.

    python benchmarks/adopting.py

Drawn light curves, 8 days after their first detections, alert view, one core: CPU time, so that a machine
which others use tells nearly the same; the least of several runs. Adapters whose broker's package is missing are left
out.
"""

import argparse
import time
from collections.abc import Callable
from importlib.util import find_spec

import numpy as np
import onnxruntime

from telperion.adopt import antares, fink, lasair
from telperion.adopt.ask import ask, loaded
from telperion.adopt.histories import NEEDED, of_records
from telperion.bands import BANDS
from telperion.encode.view import keep_context, view
from telperion.export.feed import feed
from telperion.export.write import export
from telperion.lightcurves import LightCurves
from telperion.simulate.drawn import draw


def records(curves: LightCurves, detected: bool) -> list[list[dict]]:
    rows = zip(curves.time.tolist(), curves.band.tolist(), curves.flux.tolist(), curves.flux_err.tolist(), strict=True)
    made = [dict(zip(NEEDED, (t, BANDS[b], f, e), strict=True)) for t, b, f, e in rows]
    owner = curves.object_index
    lists: list[list[dict]] = [[] for _ in range(len(curves))]
    for row in np.flatnonzero(curves.detected == detected).tolist():
        lists[owner[row]].append(made[row])
    return lists


def least(work: Callable[[], object], repeats: int) -> float:
    """Give CPU time in milliseconds."""
    work()
    taken = []
    for _ in range(repeats):
        started = time.process_time()
        work()
        taken.append(time.process_time() - started)
    return 1000 * min(taken)


def devkit_locus(k: int, sources: list[list[dict]], forced: list[list[dict]]) -> object:
    from antares_devkit.models import DevkitAlert, DevKitLocus

    alerts = []
    for row in sources[k]:
        properties = {"ant_survey": 4} | {f"lsst_diaSource_{name}": value for name, value in row.items()}
        alerts.append(DevkitAlert(id=str(len(alerts)), mjd=row["midpointMjdTai"], properties=properties))
    alerts[-1].non_persistent_properties["lsst_fp_hists"] = forced[k]
    return DevKitLocus(id=str(k), ra=150.0, dec=-20.0, alerts=alerts)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--objects", type=int, default=1000)
    parser.add_argument("--repeats", type=int, default=5)
    asked = parser.parse_args()
    curves = view(keep_context(draw(n_per_class=-(-asked.objects // 14), seed=1), "none"), 8.0, "alert")
    curves = curves[: asked.objects]
    names, sources, forced = curves.object_id.tolist(), records(curves, True), records(curves, False)
    print(f"{len(curves)} objects, {curves.n_rows} rows ({curves.n_rows / len(curves):.1f} an object)")
    classifier = loaded("elasticc")
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    run = onnxruntime.InferenceSession(export(classifier, name="elasticc"), options, providers=["CPUExecutionProvider"])
    objects = [
        {"diaObjectId": k + 1, "diaSourcesList": sources[k], "diaForcedSourcesList": forced[k]}
        for k in range(len(curves))
    ]

    def show(name: str, work: Callable[[slice], object]) -> None:
        typical = int(np.argsort(curves.lengths)[len(curves) // 2])
        one = least(lambda: work(slice(typical, typical + 1)), 10 * asked.repeats)
        print(f"{name:28} one: {one:8.2f} ms   all: {least(lambda: work(slice(None)), asked.repeats):9.1f} ms")

    show("gathering the rows", lambda some: of_records(names[some], sources[some], forced[some]))
    show("the classifier alone", lambda some: classifier.predict(curves[some], view="full"))
    show("gathered and asked", lambda some: ask(classifier, of_records(names[some], sources[some], forced[some])))
    show("lasair.annotate", lambda some: lasair.annotate(objects[some], topic="telperion"))
    show("the exported graph", lambda some: run.run(["probabilities"], feed(curves[some])))
    if find_spec("pandas"):
        import pandas as pd

        columns = [
            pd.Series([np.array([row[name] for row in some]) for some in lists])
            for lists in (sources, forced)
            for name in NEEDED
        ]
        show("fink.classify", lambda some: fink.classify(*(column.iloc[some] for column in columns)))
    if find_spec("antares_devkit"):
        loci = [devkit_locus(k, sources, forced) for k in range(len(curves))]
        made = antares.filter_class()()
        show("antares: one locus a call", lambda some: [made.run(locus) for locus in loci[some]])


if __name__ == "__main__":
    main()
