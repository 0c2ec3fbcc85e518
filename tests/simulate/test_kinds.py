"""All nineteen classes: every source keeps its promises, together they make a survey."""

import json

import numpy as np
import pytest

from telperion.cli import main
from telperion.formats import read
from telperion.simulate.kinds import KINDS, MIXES, ORACLE, counts, mix
from telperion.simulate.save import save
from telperion.simulate.source import Explosions
from telperion.simulate.sources.collapsed import FAMILIES
from telperion.simulate.sources.folded import KINDS as FOLDED
from telperion.simulate.survey import batches
from telperion.taxonomy import Taxonomy

SOURCES = [source for kinds in KINDS.values() for source in kinds]
TEMPLATES = [
    "SNIa-SALT3", "SNI91bg-Nugent", "SNIax-Hsiao", *FAMILIES, "KN-Kasen", *FOLDED, "Mdwarf-events", "DwarfNova-OGLE",
]  # fmt: skip
EVERY = [source.name for source in SOURCES] + [f"{kind} {name}" for kind in ("made-up", "real") for name in TEMPLATES]


@pytest.fixture(params=EVERY)
def source(request):
    """Each source in turn: of formulae, of made-up templates and of the literature's, where they are."""
    kind, _, name = request.param.rpartition(" ")
    if kind:
        return request.getfixturevalue("made_up_sources" if kind == "made-up" else "real_sources")[name]
    return next(source for source in SOURCES if source.name == name)


@pytest.fixture(scope="module")
def survey():
    (curves,) = batches(dict.fromkeys(KINDS, 8), KINDS, seed=1)
    return curves


def test_every_leaf_of_the_tree_has_its_sources():
    tree = Taxonomy.load("elasticc")
    leaves = {tree.nodes[leaf] for leaf in tree.leaves}
    assert set(KINDS) == set(ORACLE) == leaves
    assert len({source.name for source in SOURCES}) == len(SOURCES)
    for label, kinds in KINDS.items():
        assert {source.label for source in kinds} == {label}
        assert sum(kinds.values()) == pytest.approx(1)


def test_what_is_drawn_in_the_galaxy_has_no_redshift(source, make_sky):
    drawn = source.draw(make_sky(20), np.random.default_rng(0))
    assert np.isnan(drawn.redshift).all() == source.galactic
    assert drawn.brightest().shape == (20, 6)
    assert len(drawn.take(np.array([3, 1])).redshift) == 2


def test_light_is_finite_bounded_and_each_objects_own(source, make_sky):
    sky, chosen = make_sky(60, seed=3), np.array([31, 4, 17])
    drawn = source.draw(sky, np.random.default_rng(4))
    light = drawn.light(sky, np.random.default_rng(0))
    assert np.isfinite(light.difference).all()
    assert (light.steady >= 0).all()
    if isinstance(drawn, Explosions):
        assert (light.steady == 0).all()
        assert (light.difference >= 0).all()
    assert (np.abs(light.difference) <= drawn.brightest()[sky.owner, sky.band] * (1 + 1e-9)).all()
    brightest = drawn.brightest()
    assert np.isfinite(brightest).all()
    np.testing.assert_array_equal(drawn.take(chosen).brightest(), brightest[chosen])
    alone = drawn.take(chosen).light(sky.take(chosen), np.random.default_rng(0))
    for part, whole in zip(alone, light, strict=True):
        expected = np.concatenate([whole[sky.offsets[k] : sky.offsets[k + 1]] for k in chosen])
        np.testing.assert_allclose(part, expected, rtol=1e-9, atol=1e-9)
    again = source.draw(sky, np.random.default_rng(4)).light(sky, np.random.default_rng(0))
    np.testing.assert_array_equal(again.difference, light.difference)


def test_a_survey_has_every_class(survey):
    names, found = np.unique(survey.label, return_counts=True)
    assert dict(zip(names.tolist(), found.tolist(), strict=True)) == dict.fromkeys(KINDS, 8)
    galactic = np.isin(survey.label, [source.label for source in SOURCES if source.galactic])
    np.testing.assert_array_equal(np.isnan(survey.context["hostgal_snsep"])[galactic], True)
    assert np.isfinite(survey.context["hostgal_snsep"])[~galactic].mean() > 0.8
    assert ((survey.flux < 0) & survey.detected).any()


def test_shares_become_whole_numbers_that_add_up():
    assert sum(counts(99_999, ORACLE).values()) == 99_999
    assert counts(19, MIXES["even"]) == dict.fromkeys(ORACLE, 1)
    assert mix("oracle") == ORACLE
    for text, said in (
        ("KN", "expected a number"),
        ("Nova=1", "no mix and no class"),
        ("KN=-1", "not negative"),
        ("KN=0", "all zero"),
    ):
        with pytest.raises(ValueError, match=said):
            mix(text)


def test_a_survey_is_saved_and_taken_up_again(tmp_path, monkeypatch):
    monkeypatch.setattr("telperion.simulate.survey.BATCH", 6)
    wanted = {"SLSN": 10, "EB": 8}
    assert save(tmp_path / "whole", wanted, seed=2) == 18
    assert save(tmp_path / "parts", wanted, seed=2) == 18
    (tmp_path / "parts" / "part-00001.parquet").unlink()
    (tmp_path / "parts" / "part-00002.parquet").unlink()
    save(tmp_path / "parts", wanted, seed=2, jobs=2)
    for one, other in zip(sorted((tmp_path / "whole").iterdir()), sorted((tmp_path / "parts").iterdir()), strict=True):
        assert one.name == other.name
        if one.suffix == ".parquet":
            np.testing.assert_array_equal(read(one).flux, read(other).flux)
    card = json.loads((tmp_path / "whole" / "survey.json").read_text())
    assert card["sources"]["SLSN"] == {"SLSN-magnetar": 1.0}
    with pytest.raises(ValueError, match="holds another survey"):
        save(tmp_path / "whole", wanted, seed=3)
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "file").write_text("")
    with pytest.raises(ValueError, match="is not empty"):
        save(tmp_path / "other", wanted)
    with pytest.raises(ValueError, match="no source, first 'Nova'"):
        save(tmp_path / "new", {"Nova": 3})


def test_the_command_writes_what_is_read_back(tmp_path, capsys):
    for form in ("parquet", "snana"):
        folder = tmp_path / form
        arguments = ["simulate", "elasticc", "-n", "12", "--mix", "uLens=1,SLSN=2", "--seed", "4", "-o", str(folder)]
        assert main([*arguments, "--format", form]) == 0
        assert "12 light curves" in capsys.readouterr().out
    one, other = read(tmp_path / "parquet"), read(tmp_path / "snana")
    assert one.object_id.tolist() == other.object_id.tolist()
    assert one.label.tolist() == other.label.tolist()
    assert sorted(one.label) == ["SLSN"] * 8 + ["uLens"] * 4
    np.testing.assert_allclose(other.flux, one.flux, rtol=1e-5)


def test_a_gallery_is_drawn(tmp_path):
    pytest.importorskip("matplotlib", reason="figures are the extra 'plots'")
    from telperion.light_curve_figures import gallery_figure

    (curves,) = batches({"EB": 3, "KN": 2}, KINDS, seed=1)
    figure = gallery_figure(curves, ["KN", "EB"], 3)
    assert len(figure.axes) == 5
    with pytest.raises(ValueError, match="no light curve of 'TDE'"):
        gallery_figure(curves, ["TDE"])
