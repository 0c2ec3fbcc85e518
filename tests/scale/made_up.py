"""Made-up objects under the names of Rubin's data previews, and what is read of answers."""

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

ROW = pa.struct(
    {
        "midpointMjdTai": pa.float64(),
        "band": pa.string(),
        "psfFlux": pa.float32(),
        "psfFluxErr": pa.float32(),
        "visit": pa.int64(),
        "detector": pa.int16(),
        "psfFlux_flag": pa.bool_(),
    }
)
FORCED = pa.struct(
    {
        "midpointMjdTai": pa.float64(),
        "band": pa.string(),
        "psfFlux": pa.float32(),  # on the direct image: another thing
        "psfFluxErr": pa.float32(),
        "psfDiffFlux": pa.float32(),
        "psfDiffFluxErr": pa.float32(),
        "visit": pa.int64(),
        "detector": pa.int16(),
        "psfDiffFlux_flag": pa.bool_(),
    }
)


def row(time: float, flux: float | None = 900.0, band: str = "r", **more) -> dict:
    return {"midpointMjdTai": time, "band": band, "psfFlux": flux, "psfFluxErr": 50.0} | more


def forced(time: float, flux: float | None = 100.0, band: str = "r", **more) -> dict:
    return row(time, 1e6, band) | {"psfDiffFlux": flux, "psfDiffFluxErr": 50.0} | more


def rubin(sources: list, forced: list | None = None, **columns: list) -> pa.Table:
    """Give a table of objects under the names of Rubin's data previews."""
    n = len(sources)
    made = {"diaObjectId": pa.array(columns.pop("diaObjectId", [10**17 + k for k in range(n)]))}
    made |= {"ra": pa.array([10.0 + k for k in range(n)]), "dec": pa.array([-20.0] * n)}
    made |= {name: pa.array(values) for name, values in columns.items()}
    made["diaSource"] = pa.array(sources, pa.list_(ROW))
    if forced is not None:
        made["diaObjectForcedSource"] = pa.array(forced, pa.list_(FORCED))
    return pa.table(made)


def answers(folder) -> pa.Table:
    """Give all rows of a catalogue of answers."""
    parts = sorted((folder / "dataset").glob("Norder=*/Dir=*/Npix=*.parquet"))
    return pa.concat_tables([pq.read_table(part, partitioning=None) for part in parts])


def assert_same(one, other) -> None:
    """See that two catalogues of answers say the same; a process that has compiled its loops rounds differently."""
    one, other = answers(one), answers(other)
    assert one.schema.equals(other.schema)
    for name in one.column_names:
        mine, theirs = one[name].combine_chunks(), other[name].combine_chunks()
        while pa.types.is_list(mine.type) or pa.types.is_large_list(mine.type):
            assert mine.value_lengths().equals(theirs.value_lengths()), name
            mine, theirs = mine.flatten(), theirs.flatten()
        if pa.types.is_floating(mine.type):
            assert mine.is_null().equals(theirs.is_null()), name
            mine, theirs = (column.to_numpy(zero_copy_only=False) for column in (mine, theirs))
            np.testing.assert_allclose(mine, theirs, rtol=1e-4, atol=1e-6, err_msg=name)
        else:
            assert mine.equals(theirs), name
