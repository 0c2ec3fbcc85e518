"""Fink: a vectorised user function on columns of lists, for pandas and for Spark."""

from __future__ import annotations

from collections.abc import Collection
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from telperion.adopt.ask import ask, loaded
from telperion.adopt.histories import NEEDED, of_lists
from telperion.formats.alert_surveys import USELESS

if TYPE_CHECKING:
    import pandas as pd

RETURNS = (
    "leaf string, leaf_probability float, promised string, probabilities array<float>, days double, observations int, "
    "useless int, context string, version string"
)
"""The type of what `udf` gives, as Spark writes it."""


def classify(
    midpointMjdTai: pd.Series,
    band: pd.Series,
    psfFlux: pd.Series,
    psfFluxErr: pd.Series,
    forced_midpointMjdTai: pd.Series | None = None,
    forced_band: pd.Series | None = None,
    forced_psfFlux: pd.Series | None = None,
    forced_psfFluxErr: pd.Series | None = None,
    ebv: pd.Series | None = None,
    *,
    classifier: str = "elasticc",
) -> pd.DataFrame:
    """Classify alerts, a row each.

    Parameters
    ----------
    midpointMjdTai, band, psfFlux, psfFluxErr : Series of lists, shape ``(n_alerts,)``
        Of ``prvDiaSources`` and ``diaSource`` together, in any order, as ``concat_col`` of fink-utils joins them with
        ``history="prvDiaSources"``. Detections alone: forced photometry goes in by itself.
    forced_midpointMjdTai, forced_band, forced_psfFlux, forced_psfFluxErr : Series of lists, optional
        Of ``prvDiaForcedSources``, all four or none; null where an alert has none.
    ebv : Series of float, shape ``(n_alerts,)``, optional
        E(B-V), null where it is unknown: the flux is taken as it is then.
    classifier : str
        The name of a shipped classifier, or a folder.

    Returns
    -------
    DataFrame, shape ``(n_alerts, 9)``
        With the index of the input: the decided ``leaf`` and its probability (null without an observation of use),
        the node that is ``promised``, the ``probabilities`` of all nodes in the order of the tree, ``days`` after the
        first detection, how many ``observations`` the answer stands on and how many were ``useless``, ``context`` and
        the classifier's ``version``.

    Raises
    ------
    ValueError
        Columns of an alert have different lengths, some of the forced ones are missing, or values are of a wrong type.
    """
    import pandas as pd

    forced = (forced_midpointMjdTai, forced_band, forced_psfFlux, forced_psfFluxErr)
    if any(column is None for column in forced) and any(column is not None for column in forced):
        raise ValueError("forced photometry needs all of midpointMjdTai, band, psfFlux and psfFluxErr, or none of them")
    model, n = loaded(classifier), len(midpointMjdTai)
    sources = (midpointMjdTai, band, psfFlux, psfFluxErr)
    histories = of_lists(
        [str(place) for place in range(n)],
        {name: list(column) for name, column in zip(NEEDED, sources, strict=True)},
        {name: list(column) for name, column in zip(NEEDED, forced, strict=True) if column is not None},
        context=None if ebv is None else {"mwebv": pd.to_numeric(ebv).to_numpy(dtype=np.float64, na_value=np.nan)},
    )
    answers, names = ask(model, histories), np.array(model.tree.nodes, dtype=object)
    said = answers.n_rows > 0
    return pd.DataFrame(
        {
            "leaf": _unless(~said, names[answers.leaf]),
            "leaf_probability": np.where(said, answers.probabilities[np.arange(n), answers.leaf], np.nan).astype("f4"),
            "promised": names[answers.confident],
            "probabilities": list(answers.probabilities),
            "days": answers.days,
            "observations": answers.n_rows,
            "useless": histories.useless.astype(np.int32),
            "context": answers.context.astype(object),
            "version": np.full(n, model.fingerprint, dtype=object),
        },
        index=midpointMjdTai.index,
    )


def _unless(missing: NDArray[np.bool_], values: NDArray[np.object_]) -> NDArray[np.object_]:
    values[missing] = None
    return values


def nodes(classifier: str = "elasticc") -> list[str]:
    """Name the nodes in the order of ``probabilities``.

    Examples
    --------
    >>> nodes()[:3]
    ['Alert', 'Transient', 'Variable']
    """
    return list(loaded(classifier).tree.nodes)


def udf(classifier: str = "elasticc") -> Any:
    """Give `classify` as a ``pandas_udf`` of Spark, which takes its columns in the same order.

    Raises
    ------
    ImportError
        pyspark is missing.
    """
    import pandas as pd
    from pyspark.sql.functions import pandas_udf

    answer = partial(classify, classifier=classifier)

    def telperion(*columns: Any) -> Any:
        return answer(*columns)

    telperion.__annotations__ = {"columns": pd.Series, "return": pd.DataFrame}
    return pandas_udf(telperion, returnType=RETURNS)


def expressions(fields: Collection[str] = (), forced: Collection[str] = ()) -> list[str]:
    """Write the columns that `classify` takes as expressions on an alert of Rubin's schema, for ``pyspark``'s ``expr``.

    Rows that are flagged or withdrawn stay out, as everywhere in Telperion.

    Parameters
    ----------
    fields, forced : collection of str
        The fields that ``diaSource`` and the items of ``prvDiaForcedSources`` have: which flags there are depends on
        the schema. Without, no flag is looked at.

    Returns
    -------
    list of str, length 8

    Examples
    --------
    >>> print(expressions({"psfFlux_flag"})[4])
    transform(filter(prvDiaForcedSources, s -> true), s -> s.midpointMjdTai)
    """
    wrong = [f"s.{name}" for name in USELESS if name in fields]
    if "psfFlux_flag" in fields:
        edge = "s.psfFlux_flag_edge" if "psfFlux_flag_edge" in fields else "false"
        wrong.append(f"(s.psfFlux_flag AND NOT coalesce({edge}, false))")
    sources = "CASE WHEN prvDiaSources IS NULL THEN array(diaSource) ELSE concat(prvDiaSources, array(diaSource)) END"
    return [
        f"transform(filter({rows}, s -> {keep}), s -> s.{name})"
        for rows, keep in (
            (sources, _keep(wrong, fields)),
            ("prvDiaForcedSources", _keep([], forced)),
        )
        for name in NEEDED
    ]


def _keep(wrong: list[str], fields: Collection[str]) -> str:
    terms = [f"NOT coalesce({flag}, false)" for flag in wrong]
    if "timeWithdrawnMjdTai" in fields:
        terms.append("(s.timeWithdrawnMjdTai IS NULL OR isnan(s.timeWithdrawnMjdTai))")
    return " AND ".join(terms) or "true"
