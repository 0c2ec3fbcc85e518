import numpy as np
import pyarrow.parquet as pq
import pytest
import tomli_w

from telperion.cli import main
from telperion.formats import parquet
from telperion.simulate.drawn import draw

RUN = {
    "name": "small", "tree": "plasticc", "days": [2.0, 64.0], "contexts": ["specz"], "folds": 2,
    "model": {"kind": "boost", "rounds": 3, "truncations": 1.0, "boosters": 1, "min_rows": 2},
}  # fmt: skip


@pytest.fixture
def data(tmp_path):
    parquet.write(draw(n_per_class=6, seed=5), tmp_path / "sky.parquet")
    return tmp_path / "sky.parquet"


@pytest.fixture
def run(tmp_path):
    (tmp_path / "run.toml").write_text(tomli_w.dumps(RUN))
    return tmp_path / "run.toml"


def test_a_trained_classifier_classifies_and_is_evaluated(data, run, tmp_path, capsys):
    model = tmp_path / "classifier"
    assert main(["train", str(run), str(data), "-o", str(model)]) == 0
    out = tmp_path / "out.parquet"
    assert main(["classify", str(data), "-m", str(model), "-o", str(out), "--days", "2", "8"]) == 0
    table = pq.read_table(out)
    assert sorted(set(table["days"].to_pylist())) == [2, 8]
    assert np.allclose(table["Alert"], 1, atol=1e-5)
    assert main(["evaluate", str(model), str(data), "--days", "8", "--context", "none"]) == 0
    assert "macro" in capsys.readouterr().out
    assert main(["classify", str(data), "-m", str(model), "-o", str(out), "--level", "0.8"]) == 2
    assert "promises nothing" in capsys.readouterr().err


def test_a_cross_validation_leaves_a_report(data, run, tmp_path, capsys):
    assert main(["crossvalidate", str(run), str(data), "-o", str(tmp_path / "cv")]) == 0
    assert (tmp_path / "cv" / "report" / "scores.json").is_file()
    assert "leaves" in capsys.readouterr().out
    assert main(["compare", str(tmp_path / "cv"), str(tmp_path / "cv"), "--markdown"]) == 0
    assert "+0.000 ± 0.000 |" in capsys.readouterr().out


def test_a_night_of_alerts_is_simulated_with_its_light_curves(tmp_path, capsys):
    what = ["-n", "12", "--mix", "EB=2,SLSN=1", "--visits", "3", "--late", "0.5", "--seed", "1"]
    arguments = ["simulate", "elasticc", "--night", *what, "-o"]
    assert main([*arguments, str(tmp_path / "night")]) == 0
    assert "alerts in 3 visits" in capsys.readouterr().out.replace("\n", " ")
    names = sorted(path.name for path in (tmp_path / "night").iterdir())
    assert names == ["light-curves", "night.json", "truth.parquet", *(f"visit-0000{k}.avro" for k in range(3))]
    assert pq.read_table(tmp_path / "night" / "truth.parquet").num_rows == 12
    assert main([*arguments, str(tmp_path / "night")]) == 0
    assert main([*arguments, str(tmp_path)]) == 2  # holds something else: known before anything is simulated
    assert not (tmp_path / "light-curves").exists()


def test_a_tree_is_drawn(capsys):
    assert main(["tree", "plasticc"]) == 0
    assert "└── AGN" in capsys.readouterr().out


@pytest.mark.parametrize(
    "arguments",
    [
        ["tree", "oak"],
        ["classify", "nowhere", "-m", "plasticc", "-o", "x.parquet"],
        ["train", "nowhere.toml", "nowhere", "-o", "x"],
        ["compare", "nowhere"],
        ["evaluate", "no-such-model", "nowhere"],
        ["stream", "no[/where]", "-o", "x.jsonl", "-s", "x", "--kafka", "a"],
    ],
)
def test_a_mistake_ends_with_one_line_and_status_two(arguments, capsys):
    assert main(arguments) == 2
    assert capsys.readouterr().err.startswith(f"telperion {arguments[0]}:")


def test_brackets_in_a_mistake_are_shown(tmp_path, capsys):
    assert main(["demo", str(tmp_path / "[none]")]) == 2
    assert "[none]" in capsys.readouterr().err.replace("\n", "")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["demo"], "telperion demo: stopped; nothing is kept"),
        (["demo", "-k", "[new]"], "telperion demo: stopped; nothing is kept"),
        (["demo", "-k", "[kept]"], "telperion demo: stopped; [kept] keeps what is there so far"),
        (["demo", "sky.parquet"], "telperion demo: stopped"),
        (["tree"], "telperion tree: stopped"),
        (["train", "a.toml", "sky", "-o", "x"], "telperion train: stopped; the same command goes on from here"),
    ],
)
def test_who_is_stopped_says_what_is_left(arguments, words, tmp_path, capsys, monkeypatch):
    def stop(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.chdir(tmp_path)
    (tmp_path / "[kept]").mkdir()
    for place in ("demo.play.play", "demo.light_curves.show", "Taxonomy.load", "run.Run.load", "load"):
        monkeypatch.setattr(f"telperion.{place}", stop)
    assert main(arguments) == 130
    assert capsys.readouterr().err == words + "\n"


def test_a_password_in_an_address_is_not_repeated(monkeypatch):
    from telperion.cli import _command

    monkeypatch.setattr("sys.argv", ["telperion", "train", "--storage", "postgresql://me:secret@host:5432/studies"])
    assert _command() == "telperion train --storage postgresql://me@host:5432/studies"
