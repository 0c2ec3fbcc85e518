"""Nested frames in and out: what `map_partitions` of an LSDB catalogue is given."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from telperion.encode.view import Context, View
from telperion.scale.columns import DEREDDENED, understand
from telperion.scale.job import Job

if TYPE_CHECKING:
    import lsdb
    import nested_pandas as npd


def classify_frame(
    frame: npd.NestedFrame,
    *,
    model: str = "elasticc",
    days: Sequence[float] = (np.inf,),
    view: View | None = None,
    context: Context = "specz",
    level: float | None = None,
    strangeness: bool = False,
    names: Mapping[str, str] | None = None,
    dust: str | Path = "",
    dereddened: bool = False,
    detected_above: float | None = None,
) -> npd.NestedFrame:
    """Classify a frame of objects with their light curves nested in it, such as a partition of an LSDB catalogue.

    It pickles by its name, and loads the classifier once a process: ``catalog.map_partitions(classify_frame)``.

    Parameters
    ----------
    frame : NestedFrame, shape ``(n_objects, ...)``
        Id, position, context, and nested columns of light curves; may be empty.
    model : str
        The name of a shipped classifier, or a folder that all workers see.
    days, view, level, strangeness
        As for `telperion.classifier.Classifier.classify`.
    context : {"specz", "photoz", "none"}
        That counts.
    dust : str or Path
        A map of E(B-V), for objects of which it is unknown, whose fluxes are otherwise taken as they are.
    names, dereddened, detected_above
        As for `telperion.scale.columns.understand`.

    Returns
    -------
    NestedFrame, shape ``(n_objects * n_days, ...)``
        Objects in their order, days inside, with their index: id and position under the names that they came with,
        ``days``, ``n_obs``, the probability of every node, ``leaf``, ``confident_node``. All columns are Arrow's, of
        the same types whatever is in the frame.

    Raises
    ------
    ValueError
        A column is missing, an object has no id or another one's; the message says which.
    """
    import nested_pandas as npd
    import pandas as pd

    schema = pa.Table.from_pandas(frame.iloc[:0], preserve_index=False).schema
    layout = understand(schema.remove_metadata(), names, dereddened=dereddened, detected_above=detected_above)
    wanted = list(dict.fromkeys(name.partition(".")[0] for name in layout.read()))
    table = pa.Table.from_pandas(frame[wanted], preserve_index=False)
    answers, _ = Job(model, layout, tuple(days), view, context, level, strangeness, str(dust)).classify(table)
    made = answers.to_pandas(types_mapper=pd.ArrowDtype)
    made.index = frame.index.take(np.repeat(np.arange(len(frame)), len(days)))
    return npd.NestedFrame(made)


def classify_lsdb(
    catalog: lsdb.Catalog,
    *,
    model: str = "elasticc",
    days: Sequence[float] = (np.inf,),
    view: View | None = None,
    context: Context = "specz",
    level: float | None = None,
    strangeness: bool = False,
    names: Mapping[str, str] | None = None,
    dust: str | Path = "",
    dereddened: bool | None = None,
    detected_above: float | None = None,
) -> lsdb.Catalog:
    """Classify an LSDB catalogue, lazily: `classify_frame` of each partition, of the columns alone that it reads.

    Parameters
    ----------
    catalog : lsdb.Catalog
    model, days, view, context, level, strangeness, dust, names, detected_above
        As for `classify_frame`.
    dereddened : bool, optional
        Whether fluxes are corrected for dust; by default what the catalogue's files say.

    Returns
    -------
    lsdb.Catalog
        With the same partitions; nothing is computed before `compute` or `write_catalog`.
    """
    if dereddened is None:
        said = getattr(catalog, "original_schema", None)
        dereddened = said is not None and (said.metadata or {}).get(DEREDDENED) == b"true"
    schema = pa.Table.from_pandas(catalog.meta, preserve_index=False).schema.remove_metadata()
    layout = understand(schema, names, dereddened=dereddened, detected_above=detected_above)
    wanted = list(dict.fromkeys(name.partition(".")[0] for name in layout.read()))
    return catalog[wanted].map_partitions(
        classify_frame,
        model=model,
        days=tuple(days),
        view=view,
        context=context,
        level=level,
        strangeness=strangeness,
        dust=str(dust),
        names=dict(names or {}),
        dereddened=dereddened,
        detected_above=detected_above,
    )
