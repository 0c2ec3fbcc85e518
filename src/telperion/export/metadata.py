"""What an exported file says of itself: texts and JSON in the ONNX model's own properties."""

from __future__ import annotations

import hashlib
import json
from typing import Any

import onnx
import tomli_w

from telperion import __version__
from telperion.bands import BANDS, EXTINCTION
from telperion.classifier import Classifier
from telperion.encode import context, oracle, rhythm, sequence
from telperion.export.graphs import Form, network_of
from telperion.export.surroundings import COLUMNS, UNITS
from telperion.export.weights import Kept
from telperion.saved import versions

FORMAT = 1
"""Of exported files: it changes with the names, types or meaning of inputs, outputs or properties."""

_INPUTS = {
    "time": "MJD (TAI), in days; an object's rows in the order of time, rows of one time in the order of bands",
    "band": "place among `bands`",
    "flux": "difference-image flux in nJy (AB zero point 31.4), not dereddened, may be negative",
    "flux_err": "its standard error in nJy, above zero",
    "detected": "whether the survey calls the row a detection",
    "lengths": "rows of each object; what stands behind them is not read; 0 is answered with the class mix",
    "context": "columns as in `context`, NaN where unknown",
    "given": "whether anybody looked, as in `context_groups`; false takes a group away, whatever its columns say",
    "ebv": "E(B-V) in mag by which fluxes are dereddened; 0 if they are already",
    "memory": "new_memory of the row before; zeros for an object of which nothing was seen",
    "state": "new_state of the row before; zeros for an object of which nothing was seen",
    "rows": "encoded rows, features as in `features`; what stands behind an object's last row is not read",
    "static": "encoded context, features as in `static_features`",
    "days": "days after the first detection up to which an object is known, see `days_known`; NaN without rows",
}
_OUTPUTS = {
    "probabilities": "of every node, as in `nodes`: the root is 1, siblings sum to their parent",
    "days": "days after the first detection up to which an object is known, see `days_known`; NaN without rows",
    "new_memory": "for the next row",
    "new_state": "for the next row",
}
_VIEWS = {
    "alert": "detections until 1 day after the first one; from then on forced photometry, too, from 30 days before it",
    "full": "all rows up to the moment of asking",
}
_DAYS_KNOWN = (
    "time of the last row less that of the first detection; at least 1 where a row is no detection; 0 before the first "
    "detection; NaN without rows"
)

_PROMISE_RULE = (
    "go from the root to the likeliest child each time; of the nodes on that path take the one with the largest sum of "
    "its probability and price[level][context][knot][step] over all steps down to it, of equal ones the shallower; "
    "prices are linear in log(1 + days) between knots and hold beyond the last; the context is specz where a "
    "spectroscopic redshift is known, else photoz where somebody looked for a host, else none"
)


def describe(model: onnx.ModelProto, classifier: Classifier, *, name: str, form: Form, kept: Kept) -> dict[str, str]:
    """Say all that a reader of the file needs to know, property by property; all but plain words are JSON.

    Parameters
    ----------
    model : onnx.ModelProto
        What is described.
    classifier : Classifier
    name : str
        What it is called.
    form : {"whole", "step", "encoded"}
    kept : {"float32", "float16", "int8"}
        How its weights are kept.
    """
    tree, gru = classifier.tree, network_of(classifier)
    parents = {tree.nodes[node]: tree.nodes[tree.parent[node]] if node else None for node in range(len(tree))}
    run = tomli_w.dumps(dict(classifier.run))
    texts = {
        "format": str(FORMAT),
        "form": form,
        "weights": kept,
        "classifier": name,
        "fingerprint": classifier.fingerprint,
        "tree": tree.name,
        "view": classifier.view,
        "before": _VIEWS[classifier.view],
        "days_known": _DAYS_KNOWN,
        "decide": f"the leaf with the largest probability / class_mix ** {classifier.power}",
        "training": run,
        "training_sha256": hashlib.sha256(run.encode()).hexdigest(),
        "training_sha256_of": "the settings under `training`, survey included; no hash of the light curves is kept",
        "telperion": __version__,
        "licence": "MIT",
    }
    documents: dict[str, Any] = {
        "nodes": tree.nodes,
        "parents": parents,
        "leaves": [tree.nodes[leaf] for leaf in tree.leaves],
        "class_mix": dict(zip((tree.nodes[leaf] for leaf in tree.leaves), classifier.mix.tolist(), strict=True)),
        "inputs": {each.name: _INPUTS[each.name] for each in model.graph.input},
        "outputs": {each.name: _OUTPUTS[each.name] for each in model.graph.output},
        "bands": BANDS,
        "extinction": dict(zip(BANDS, EXTINCTION.tolist(), strict=True)),
        "calibration": None if classifier.calibration is None else classifier.calibration.to_dict(),
        "promise": None if classifier.promise is None else classifier.promise.to_dict(),
        "measured": classifier.card,
        "made_with": versions(),
    }
    if form == "encoded":
        ours = gru.config.preset == "telperion"
        repeats = rhythm.NAMES if gru.config.rhythm else ()
        documents["features"] = [*sequence.NAMES, *repeats] if ours else "telperion.encode.oracle"
        documents["static_features"] = context.NAMES if ours else oracle.STATIC
    else:
        documents["context"] = dict(zip(COLUMNS, UNITS, strict=True))
        documents["context_groups"] = context.GROUPS
    if classifier.target:
        texts["called"] = f"members of {classifier.target!r}: probability above {classifier.threshold}"
    if classifier.promise is not None:
        texts["promise_rule"] = _PROMISE_RULE
    return texts | {key: json.dumps(value, ensure_ascii=False, allow_nan=False) for key, value in documents.items()}
