"""What comes with the package: light, torch-free, steppable where it says so, and honest on its card."""

import subprocess
import sys

import numpy as np
import pytest

import telperion
from telperion.bands import EXTINCTION
from telperion.classifier import shipped_names
from telperion.encode.view import keep_context, view
from telperion.formats import mallorn, plasticc
from telperion.lightcurves import LightCurves
from telperion.models.card import SHIPPED
from telperion.simulate.drawn import draw

NETWORK = "plasticc-gru"


@pytest.fixture(scope="module", params=["plasticc", "plasticc-gru"])
def shipped(request):
    if request.param != NETWORK:
        pytest.importorskip("lightgbm", reason="boosted trees need telperion[boost]")
    return telperion.load(request.param)


@pytest.fixture(scope="module")
def network():
    return telperion.load(NETWORK)


def test_the_winner_and_a_steppable_network_are_shipped(network):
    assert {"plasticc", NETWORK} <= set(shipped_names())
    assert network.steppable


@pytest.fixture(scope="module")
def finder():
    pytest.importorskip("lightgbm", reason="boosted trees need telperion[boost]")
    return telperion.load("mallorn")


@pytest.mark.parametrize("name", ["plasticc", NETWORK, "mallorn"])
def test_a_shipped_classifier_takes_less_than_15_megabytes(name):
    assert sum(path.stat().st_size for path in (SHIPPED / name).rglob("*") if path.is_file()) < 15e6


def test_the_card_gives_cross_validated_figures_in_every_context_with_the_command(shipped):
    figures = [row for row in shipped.card["figures"] if row["view"] == "alert"]
    assert {row["context"] for row in figures} == {"specz", "photoz", "none"}
    assert all({"2", "8", "64", "1024"} <= row["leaf macro F1"].keys() for row in figures)
    assert "crossvalidate" in shipped.card["command"]


def test_classifying_with_the_network_needs_neither_torch_nor_lightgbm():
    code = (
        "import sys, telperion; from telperion.simulate.drawn import draw; "
        f"telperion.load({NETWORK!r}).classify(draw(1, seed=0), days=(2.0,)); "
        "print([name for name in ('torch', 'tensorflow', 'lightgbm', 'sklearn', 'scipy') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_the_state_after_k_observations_gives_what_the_full_run_gives_for_every_k(network):
    curves = view(draw(n_per_class=1, seed=11), 200.0, "alert")
    longest = int(curves.lengths.max())
    position = np.arange(curves.n_rows) - curves.offsets[:-1][curves.object_index]
    state = network.start(len(curves))
    for k in range(1, longest + 1):
        stepped, state = network.step(state, curves.select_rows(position == k - 1))
        whole = network.predict(curves.select_rows(position < k), view="full")
        assert stepped == pytest.approx(whole, abs=1e-5)


def test_most_drawn_curves_find_their_branch_of_the_tree(shipped):
    curves = draw(n_per_class=10, seed=5)
    probabilities = shipped.predict(curves, days=64)
    nodes = shipped.tree.level(2)
    found = nodes[np.argmax(probabilities[:, nodes], axis=1)]
    truth = shipped.tree.labels(curves.label)
    assert np.mean(shipped.tree.ancestors[truth, found]) > 0.6


def test_dust_is_taken_off_before_a_network_of_ours_sees_a_flux(network):
    clean = draw(n_per_class=1, seed=4)
    ebv = clean.context["mwebv"]
    dimmed = 10 ** (-0.4 * EXTINCTION[clean.band] * ebv[clean.object_index])
    dusty = LightCurves(
        clean.object_id, clean.offsets, clean.time, clean.band, clean.flux * dimmed, clean.flux_err * dimmed,
        clean.detected, clean.context, clean.label, dereddened=False,
    )  # fmt: skip
    assert network.predict(dusty, days=8) == pytest.approx(network.predict(clean, days=8), abs=1e-3)


def test_on_real_light_curves_context_and_time_help(shipped, lsst_data):
    curves = plasticc.read(lsst_data / "plasticc")[::25]
    truth = shipped.tree.labels(curves.label)

    def loss(days, context):
        probabilities = shipped.predict(keep_context(curves, context), days=days)
        return -np.log(np.take_along_axis(probabilities, truth[:, None], axis=1) + 1e-9).mean()

    assert loss(64, "specz") < loss(64, "none") < loss(2, "none")
    assert loss(64, "specz") < loss(2, "specz")


def test_the_finder_of_tdes_says_how_well_it_finds_new_ones(finder):
    assert finder.target == "TDE"
    assert 0 < finder.threshold < 1
    figures = {(row["folds"], row["redshift"]): row for row in finder.card["figures"]}
    assert figures["by split", "as given"]["seeds"] >= 3
    assert {"f1", "average precision", "f1 95 %"} <= figures["by split", "noisy"].keys()
    assert not any(member.get("siblings") for member in finder.run["model"]["members"])


def test_finding_tdes_needs_no_torch():
    pytest.importorskip("lightgbm", reason="boosted trees need telperion[boost]")
    code = (
        "import sys, telperion; from telperion.simulate.drawn import draw; "
        "telperion.load('mallorn').classify(draw(1, seed=0)); "
        "print([name for name in ('torch', 'tensorflow', 'safetensors', 'numba') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_of_the_challenges_unlabelled_objects_about_as_many_are_called_as_there_should_be(finder, lsst_data):
    """About one in twenty is a TDE, here as in the training set, of which three quarters are found."""
    table = finder.classify(mallorn.read(lsst_data / "mallorn", part="test")[::12])
    assert table.num_rows == 595
    assert 12 <= table["called"].to_numpy().sum() <= 60
