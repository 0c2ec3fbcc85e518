"""The filter, run by ANTARES' own devkit."""

import json

import numpy as np
import pytest
from numpy.testing import assert_allclose

from telperion.adopt import antares
from telperion.adopt.ask import ask
from telperion.adopt.histories import of_records

models = pytest.importorskip("antares_devkit.models", reason="the devkit comes with telperion[dev]")


def make_locus(held, k, **changes):
    """A locus with an alert a source, in their order, and one of ZTF, which does not count."""
    alerts = [
        models.DevkitAlert(
            id=f"lsst:{row['diaSourceId']}",
            mjd=row["midpointMjdTai"],
            properties={"ant_survey": 4, "ant_mag": 22.0} | {f"lsst_diaSource_{key}": row[key] for key in row},
        )
        for row in held.sources[k]
    ]
    alerts[-1].non_persistent_properties["lsst_fp_hists"] = held.forced[k]
    alerts[-1].properties |= changes
    alerts.insert(0, models.DevkitAlert(id="ztf:1", mjd=58000.0, properties={"ant_survey": 1, "ztf_magpsf": 18.0}))
    return models.DevKitLocus(id=f"ANT2026{k}", ra=150.0, dec=-20.0, alerts=alerts)


@pytest.fixture(scope="module")
def made():
    return antares.filter_class("elasticc")()


def test_a_locus_gets_what_the_classifier_says(made, held, elasticc):
    expected = ask(elasticc, of_records(held.object_id, held.sources, held.forced))
    nodes = elasticc.tree.nodes
    for k in range(len(held.object_id)):
        locus = make_locus(held, k)
        assert made.run(locus).status == "Succeeded"
        said = {key.removeprefix("telperion_"): value for key, value in locus.user_properties.items()}
        assert said["leaf"] == nodes[expected.leaf[k]]
        assert said["promised"] == nodes[expected.confident[k]]
        assert (said["observations"], said["days"]) == (expected.n_rows[k], expected.days[k])
        probabilities = json.loads(said["probabilities"])
        assert tuple(probabilities) == nodes
        assert_allclose(list(probabilities.values()), expected.probabilities[k], atol=1e-6)
        assert said["version"] == elasticc.fingerprint
        assert len(locus.tags) == elasticc.tree.depth[expected.confident[k]]


def test_all_that_is_set_was_declared(made, held):
    declared = {each["name"]: each["type"] for each in made.OUTPUT_LOCUS_PROPERTIES}
    tags = [each["name"] for each in made.OUTPUT_LOCUS_TAGS]
    assert len(set(tags)) == len(tags)
    found = set()
    for k in range(len(held.object_id)):
        locus = make_locus(held, k)
        made.run(locus)
        assert {key: type(value).__name__ for key, value in locus.user_properties.items()} == declared
        found |= locus.tags
    assert found
    assert found <= set(tags)


def test_the_devkits_report_tells_the_same(made, held):
    utils = pytest.importorskip("antares_devkit.utils")
    report = utils.filter_report(made, make_locus(held, 0))
    assert sorted(report["new_locus_properties"]) == sorted(each["name"] for each in made.OUTPUT_LOCUS_PROPERTIES)


def test_other_surveys_and_moving_objects_are_passed_over(made, held):
    moving = make_locus(held, 0, lsst_diaSource_ssObjectId=42)
    assert made.run(moving).status == "Succeeded"
    assert not moving.user_properties
    assert made.run(make_locus(held, 0, lsst_diaSource_ssObjectId="0")).status == "Succeeded"
    locus = make_locus(held, 0)
    locus.alerts.append(locus.alerts[0])
    assert made.run(locus).status == "Skipped"
    without = make_locus(held, 0)
    del without.alerts[-1].properties["lsst_diaSource_psfFlux"]
    assert made.run(without).status == "Skipped"


def test_a_locus_without_an_observation_of_use_gets_no_class(made, held):
    locus = make_locus(held, 0)
    for alert in locus.alerts[1:]:
        alert.properties["lsst_diaSource_psfFluxErr"] = float("nan")
    assert made.run(locus).status == "Succeeded"
    assert set(locus.user_properties) == {"telperion_observations", "telperion_useless", "telperion_version"}
    assert locus.user_properties["telperion_observations"] == 0
    assert locus.user_properties["telperion_useless"] == len(held.sources[0])
    assert not locus.tags


@pytest.mark.parametrize(
    ("forced", "message"),
    [("[]", "lsst_fp_hists is no list of records"), ([{"flux": 3.0}], "no row of forced has 'midpointMjdTai'")],
)
def test_forced_photometry_of_another_form_is_an_error(made, held, forced, message):
    locus = make_locus(held, 0)
    locus.alerts[-1].non_persistent_properties["lsst_fp_hists"] = forced
    result = made.run(locus)
    assert (result.status, result.exception_name) == ("Errored", "ValueError")
    assert message in result.exception_message


def test_a_dust_map_will_do(made, held):
    pytest.importorskip("astropy_healpix", reason="dust maps need telperion[stream]")
    from telperion.serve.dust_map import DustMap

    with_map = antares.filter_class(ebv=DustMap(np.full(12, 0.3, np.float32), True, "equatorial").ebv)
    with_number = antares.filter_class(ebv=lambda ra, dec: np.float32(0.3))
    loci = [make_locus(held, 0) for _ in range(3)]
    results = [each().run(locus) for each, locus in zip((with_map, with_number, type(made)), loci, strict=True)]
    assert [result.status for result in results] == ["Succeeded"] * 3, results[0]
    assert loci[0].user_properties == loci[1].user_properties != loci[2].user_properties


def test_dust_and_names_may_be_given(held, elasticc):
    asked = []
    filters = antares.filter_class(name="Ours", ebv=lambda ra, dec: asked.append((ra, dec)) or 0.3, slack_channel="#x")
    assert (filters.__name__, filters.SLACK_CHANNEL) == ("Ours", "#x")
    locus = make_locus(held, 0)
    assert filters().run(locus).status == "Succeeded"
    assert asked == [(150.0, -20.0)]
    expected = ask(elasticc, of_records(["a"], held.sources[:1], held.forced[:1], context={"mwebv": [0.3]}))
    assert locus.user_properties["ours_leaf"] == elasticc.tree.nodes[expected.leaf[0]]
    assert locus.user_properties["ours_days"] == expected.days[0]
