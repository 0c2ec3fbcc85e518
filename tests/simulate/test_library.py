"""A folder of templates: classes it covers, classes it does not, and the survey made of both."""

import json
import pickle
import shutil

import numpy as np
import pytest

from telperion.cli import main
from telperion.simulate.kinds import KINDS
from telperion.simulate.library import library
from telperion.simulate.literature import templates
from telperion.simulate.save import save
from telperion.simulate.source import Explosions
from telperion.simulate.sources.collapsed import FAMILIES
from telperion.simulate.survey import batches

COVERED = {
    "SNIa", "SNI91bg", "SNIax", "SNII", "SNIb/c", "KN", "RR Lyrae", "Cepheid", "Delta Scuti", "EB", "M-dwarf Flare",
    "Dwarf Novae",
}  # fmt: skip


def names(kinds, label):
    return {source.name: share for source, share in kinds[label].items()}


def test_templates_replace_the_formulae_of_their_classes(template_folder):
    kinds = library(template_folder)
    assert set(kinds) == set(KINDS)
    assert set(templates(kinds)) == COVERED
    for label, sources in kinds.items():
        assert sum(sources.values()) == pytest.approx(1)
        assert {source.label for source in sources} == {label}
        if label not in COVERED:
            assert sources == KINDS[label]
    assert names(kinds, "SNIa") == {"SNIa-SALT3": 1.0}
    assert names(kinds, "SNIb/c")["SNIb/c-nickel"] == pytest.approx(0.5)
    assert names(kinds, "EB") == {"EB-ellipsoidal-ZTF": pytest.approx(0.1), "EB-formula": pytest.approx(0.9)}
    assert not any(name.endswith("formula") for name in names(kinds, "SNII"))
    outbursts = templates(kinds)["Dwarf Novae"]["DwarfNova-OGLE"]["templates"]
    assert outbursts == 4  # of six, one flat and one held out


def test_what_is_not_there_keeps_its_formula(template_folder, tmp_path):
    pierel = tmp_path / "deep" / "down" / "pierel"
    shutil.copytree(template_folder / "sncosmo" / "models" / "pierel", pierel)
    kinds = library(tmp_path)
    assert set(templates(kinds)) == {"SNII", "SNIb/c"}
    assert kinds["SNIa"] == KINDS["SNIa"]
    second = names(kinds, "SNII")
    assert set(second) == {"SNII-K10", "SNIIb-formula", "SNIIn-formula"}
    assert second["SNIIb-formula"] / second["SNII-K10"] == pytest.approx(0.109 / 0.649)


def test_held_out_templates_are_the_others(template_folder):
    kept, held = library(template_folder), library(template_folder, held_out=True)
    for label in COVERED:
        assert names(kept, label) == names(held, label)
        for one, other in zip(kept[label], held[label], strict=True):
            if not hasattr(one, "files"):
                continue
            mine, theirs = set(one.files.chosen), set(other.files.chosen)
            assert mine
            assert theirs
            assert not mine & theirs or len(one.files.templates) == 1, one.name


def test_a_folder_without_templates_is_refused(tmp_path):
    with pytest.raises(ValueError, match="holds none of the template files"):
        library(tmp_path)
    with pytest.raises(ValueError, match="there is no folder"):
        library(tmp_path / "nowhere")


def test_sources_are_small_and_the_same_after_a_journey(made_up_sources, make_sky):
    sky = make_sky(5)
    for name, source in made_up_sources.items():
        sent = pickle.dumps(source)
        assert len(sent) < 20_000, name
        again = pickle.loads(sent)  # noqa: S301
        assert again == source
        assert hash(again) == hash(source)
        if name in FAMILIES:
            light = [one.draw(sky, np.random.default_rng(1)).brightest() for one in (source, again)]
            np.testing.assert_array_equal(*light)


def test_processes_change_nothing(template_folder, monkeypatch):
    monkeypatch.setattr("telperion.simulate.survey.BATCH", 12)
    kinds, wanted = library(template_folder), {"SNIa": 12, "EB": 12}
    one, two = (list(batches(wanted, kinds, seed=3, jobs=jobs)) for jobs in (1, 2))
    for mine, theirs in zip(one, two, strict=True):
        np.testing.assert_array_equal(mine.flux, theirs.flux)


def test_a_survey_says_which_templates_it_was_made_of(template_folder, tmp_path):
    kinds = library(template_folder)
    save(tmp_path / "sky", {"SNIa": 3, "SLSN": 2}, kinds=kinds, seed=1)
    card = json.loads((tmp_path / "sky" / "survey.json").read_text())
    assert card["sources"]["SNIa"] == {"SNIa-SALT3": 1.0}
    assert set(card["templates"]) == {"SNIa"}
    digest = card["templates"]["SNIa"]["SNIa-SALT3"]["digest"]
    assert digest == next(iter(kinds["SNIa"])).files.digest
    with pytest.raises(ValueError, match="holds another survey"):
        save(tmp_path / "sky", {"SNIa": 3, "SLSN": 2}, kinds=library(template_folder, held_out=True), seed=1)


def test_the_command_takes_a_folder(template_folder, tmp_path, capsys):
    arguments = ["simulate", "elasticc", "-n", "4", "--mix", "SNIa=1,uLens=1", "--templates", str(template_folder)]
    assert main([*arguments, "-o", str(tmp_path / "sky")]) == 0
    said = capsys.readouterr().out
    assert "from templates: SNIa" in said
    assert "4 light curves" in said
    assert main([*arguments, "--held-out", "-o", str(tmp_path / "held")]) == 0
    card = json.loads((tmp_path / "held" / "survey.json").read_text())
    (name,) = card["sources"]["SNIa"]
    assert name.endswith("-shifted")
    assert card["templates"]["SNIa"][name]["held_out"]
    assert main([*arguments[:-1], str(tmp_path / "sky"), "-o", str(tmp_path / "other")]) == 2
    assert "holds none of the template files" in " ".join(capsys.readouterr().err.split())


@pytest.mark.parametrize("kind", ["made_up_sources", "real_sources"])
def test_no_explosion_is_brighter_than_its_bound_on_any_day(kind, request, make_sky):
    sources, sky = request.getfixturevalue(kind), make_sky(80)
    days = np.concatenate([np.arange(-50.0, 120.0, 3.0), np.geomspace(0.05, 20, 20)])
    for name, source in sources.items():
        if not hasattr(source, "files"):
            continue
        drawn = source.draw(sky, np.random.default_rng(2))
        if not isinstance(drawn, Explosions):
            continue
        bound, owner = drawn.brightest(), np.repeat(np.arange(80), len(days))
        for band in range(6):
            flux = drawn._flux(owner, np.tile(days, 80), np.full(len(owner), band)).reshape(80, -1).max(axis=1)
            assert (flux <= bound[:, band] * (1 + 1e-9)).all(), (name, band)
            assert np.median(flux / bound[:, band]) > 0.4, (name, band)  # nor is the bound idle
