import json
import re
from contextlib import redirect_stdout
from io import StringIO

import numpy as np
import pytest

from telperion.cli import main
from telperion.formats import parquet
from telperion.page import slug
from telperion.simulate.drawn import draw

pytest.importorskip("lightgbm")


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    folder = tmp_path_factory.mktemp("realism")
    curves = draw(n_per_class=24, seed=8)
    chosen = curves[np.isin(curves.label, ["SNIa", "KN"])]
    parquet.write(chosen[::2], folder / "sky.parquet")
    parquet.write(chosen[1::2], folder / "real.parquet")
    return folder


@pytest.fixture(scope="module")
def printed(folders):
    pytest.importorskip("matplotlib")
    arguments = ["realism", str(folders / "sky.parquet"), str(folders / "real.parquet"), "-o", str(folders / "report")]
    with redirect_stdout(StringIO()) as out:
        assert main([*arguments, "--days", "8", "--seeds", "2", "-n", "10", "--markdown"]) == 0
    return out.getvalue()


@pytest.fixture(scope="module")
def report(folders, printed):
    return folders / "report"


def refuse(name):
    raise ValueError(name)


def test_the_report_holds_all_that_was_measured(report):
    record = json.loads((report / "realism.json").read_text(), parse_constant=refuse)
    assert record["objects"] == {"SNIa": [12, 12], "KN": [12, 12]}
    assert [one["context"] for one in record["transfer"]] == ["photoz", "none"]
    for one in record["transfer"]:
        for name, value in one["f1"].items():
            assert np.mean(list(value.values())) == pytest.approx(np.mean(one["macro f1"][name]))
    assert record["distances"]["KN"][0]["distance"] >= record["distances"]["KN"][-1]["distance"]
    for told in record["simulated or real"].values():
        assert all(0 <= one["auc"]["auc"] <= 1 for one in told.values())


def test_the_page_stands_alone_and_shows_each_class(report):
    text = (report / "index.html").read_text()
    assert not re.search(r'(src|href)="(?!data:|#)', text)
    for name in ("SNIa", "KN"):
        assert (report / "figures" / f"distributions-{slug(name)}.png").stat().st_size > 5000
    assert "Leaf macro F1 of 2 classes" in text
    assert "What betrays the simulation, alert 64 d" in text


def test_tables_are_printed_as_markdown(printed):
    assert "**Leaf macro F1 of 2 classes**" in printed
    assert "| photoz | 8 d |" in printed
    assert "| SNIa |" in printed


def test_sets_without_a_common_class_end_with_one_line(folders, tmp_path, capsys):
    other = draw(n_per_class=10, seed=3)
    parquet.write(other[other.label == "EB"], tmp_path / "eb.parquet")
    assert main(["realism", str(folders / "sky.parquet"), str(tmp_path / "eb.parquet")]) == 2
    assert "no class has 10 objects in both sets" in capsys.readouterr().err
