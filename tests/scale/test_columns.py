import pyarrow as pa
import pytest
from tests.scale.made_up import FORCED, ROW, rubin

from telperion.scale.columns import understand


def test_rubins_names_are_known_and_forced_photometry_is_that_on_difference_images():
    layout = understand(rubin([[]], [[]], mwebv=[0.1]).schema)
    assert (layout.object_id, layout.ra, layout.decl) == ("diaObjectId", "ra", "dec")
    assert [(part.role, part.fields["flux"]) for part in layout.parts] == [
        ("sources", "psfFlux"),
        ("forced", "psfDiffFlux"),
    ]
    assert layout.parts[1].flags == ("psfDiffFlux_flag",)
    assert dict(layout.context) == {"mwebv": "mwebv"}


def test_only_what_is_needed_is_read():
    table = rubin([[]], [[]], secret=[1])
    wanted = understand(table.schema).read()
    assert "secret" not in wanted
    assert "diaObjectForcedSource.psfFlux" not in wanted
    assert "diaObjectForcedSource.psfDiffFlux" in wanted


@pytest.mark.parametrize("nested", [lambda kinds: pa.struct({n: pa.list_(k) for n, k in kinds.items()}),
                                    lambda kinds: pa.list_(pa.struct(kinds))])  # fmt: skip
def test_names_say_what_columns_of_other_names_mean(nested):
    kinds = {"t": pa.float64(), "filt": pa.int8(), "f": pa.float32(), "e": pa.float32(), "seen": pa.bool_()}
    schema = pa.schema({"name": pa.string(), "x": pa.float64(), "dec": pa.float64(), "points": nested(kinds)})
    names = {"name": "object_id", "x": "ra", "points": "light_curve", "points.t": "time", "points.filt": "band",
             "points.f": "flux", "points.e": "flux_err", "points.seen": "detected"}  # fmt: skip
    layout = understand(schema, names)
    assert layout.object_id == "name"
    assert layout.parts[0].fields == {"time": "t", "band": "filt", "flux": "f", "flux_err": "e", "detected": "seen"}


def without(schema: pa.Schema, name: str) -> pa.Schema:
    return schema.remove(schema.get_field_index(name))


def renamed(kind: pa.StructType, old: str, new: str) -> pa.StructType:
    return pa.struct({new if field.name == old else field.name: field.type for field in kind})


@pytest.mark.parametrize(
    ("schema", "names", "words"),
    [
        (without(rubin([[]]).schema, "diaObjectId"), {}, "no column of 'object_id'; looked for diaObjectId, object_id"),
        (without(rubin([[]]).schema, "ra"), {}, "no column of 'ra'"),
        (without(rubin([[]]).schema, "diaSource"), {}, "no nested column of light curves; looked for light_curve: lc"),
        (rubin([[]]).schema, {"diasource": "sources"}, "'diasource', which is not there; there are diaObjectId, ra"),
        (rubin([[]]).schema, {"diaSource": "source"}, "nothing is called 'source', perhaps 'sources'"),
        (rubin([[]]).schema, {"diaSource.band": "flux", "diaSource.visit": "flux"}, "gives 'flux' to several columns"),
        (rubin([[]]).schema, {"ra": "light_curve"}, "ra is double, expected a nested column"),
        (rubin([[]]).schema, {"diaSource": "light_curve"}, "diaSource has no field 'detected'"),
        (without(rubin([[]], [[]]).schema, "diaSource"), {}, "holds forced photometry alone"),
    ],
)  # fmt: skip
def test_what_is_missing_is_said(schema, names, words):
    with pytest.raises(ValueError, match=words):
        understand(schema, names)


@pytest.mark.parametrize("field", ["midpointMjdTai", "band", "psfFlux", "psfFluxErr"])
def test_a_missing_field_is_said_with_the_column_it_should_be_in(field):
    schema = pa.schema({"diaObjectId": pa.int64(), "ra": pa.float64(), "dec": pa.float64(),
                        "diaSource": pa.list_(renamed(ROW, field, "other"))})  # fmt: skip
    with pytest.raises(ValueError, match=rf"diaSource has no field of .*; looked for .*{field}.*; there are .*other"):
        understand(schema)


def test_detections_may_be_told_by_their_brightness():
    schema = pa.schema({"objectId": pa.int64(), "ra": pa.float64(), "dec": pa.float64(),
                        "objectForcedSource": pa.list_(FORCED)})  # fmt: skip
    layout = understand(schema, {"objectForcedSource": "light_curve"}, detected_above=5.0)
    assert layout.parts[0].role == "light_curve"
    assert layout.detected_above == 5.0


def test_a_later_part_that_lacks_a_column_is_refused():
    layout = understand(rubin([[]], [[]]).schema)
    with pytest.raises(ValueError, match=r"diaObjectForcedSource.midpointMjdTai.* are missing; there are diaObjectId"):
        layout.check(rubin([[]]).schema)
