import json

import pyarrow.csv
import pyarrow.parquet as pq
import pytest

from telperion.cli import main
from telperion.formats import parquet
from telperion.tables import to_markdown

NIGHT = ["--night", "61000"]


@pytest.fixture
def data(lines, tmp_path, monkeypatch):
    monkeypatch.setenv("COLUMNS", "160")
    parquet.write(lines([0.0, 0.02, 0.05], dec=[-30.0, -30.0, 80.0]), tmp_path / "live.parquet")
    return str(tmp_path / "live.parquet")


def test_the_command_writes_the_same_plan_in_each_format(data, tmp_path, capsys):
    for name in ("plan.parquet", "plan.csv", "plan.jsonl"):
        assert main(["rank", data, *NIGHT, "--seek", "TDE", "KN=3", "-o", str(tmp_path / name)]) == 0
    shown = capsys.readouterr().out
    assert "o0" in shown
    assert "spectra in" in shown
    plan = pq.read_table(tmp_path / "plan.parquet")
    assert plan.num_rows == 3
    assert {"TDE", "KN"} <= set(plan.column_names)
    text = pyarrow.csv.read_csv(tmp_path / "plan.csv")
    assert text["object_id"].to_pylist() == plan["object_id"].to_pylist()
    assert text["score"].to_pylist()[:2] == pytest.approx(plan["score"].to_pylist()[:2])
    rows = [json.loads(line) for line in (tmp_path / "plan.jsonl").read_text().splitlines()]
    assert [row["status"] for row in rows] == plan["status"].to_pylist()
    assert rows[-1]["best_time"] is None


@pytest.mark.parametrize("more", [["--for", "learning"], ["--context", "none", "--site=-70.4,-24.6", "--hours", "1"]])
def test_the_command_takes_what_an_astronomer_wants(data, more, capsys):
    assert main(["rank", data, *NIGHT, *more]) == 0
    assert "bits/h" in capsys.readouterr().out


def test_information_among_transients_is_less_than_among_all_classes(data, tmp_path):
    plans = {}
    for name, more in {"all": [], "transients": ["--among", "Transient"]}.items():
        file = tmp_path / f"{name}.parquet"
        assert main(["rank", data, *NIGHT, *more, "-o", str(file)]) == 0
        plans[name] = pq.read_table(file).sort_by("object_id")["value"].to_numpy()
    assert (plans["transients"] < plans["all"]).all()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([*NIGHT, "-o", "plan.txt"], "does not end in one of .parquet"),
        ([*NIGHT, "--seek", "TDE=much"], "the weight of TDE is 'much'"),
        ([*NIGHT, "--seek", "TD"], "perhaps 'TDE'"),
        ([*NIGHT, "--among", "Transients"], "perhaps 'Transient'"),
        ([*NIGHT, "--among", "Transient", "--seek", "TDE"], "with --seek what is found counts"),
        (["--night", "tonight"], "expected a date"),
        ([*NIGHT, "--site", "nowhere"], "LONGITUDE,LATITUDE"),
    ],
)
def test_mistakes_end_with_one_line(data, arguments, message, capsys):
    assert main(["rank", data, *arguments]) == 2
    assert message in capsys.readouterr().err.replace("\n", " ")


def test_a_table_shows_all_that_is_planned_and_a_few_more(lines):
    from tests.rank.test_plan import CLASSIFIER, told

    from telperion.rank.plan import Observing, rank
    from telperion.rank.report import plan_table

    plan = rank(CLASSIFIER, told(lines([0.0] * 12), 0.5), Observing(61_000, hours=1.0, sought={"TDE": 1.0}))
    assert len(plan_table(plan, ["TDE"], 0).rows) == plan["status"].to_pylist().count("planned")
    assert len(plan_table(plan, ["TDE"], 9).rows) == 9
    assert "0.500" in to_markdown(plan_table(plan, ["TDE"]))
