import io

import numpy as np
from rich.console import Console

from telperion.demo.scores import ClassCounts, Latest
from telperion.demo.tables import account, class_table, letters_table, object_table
from telperion.lightcurves import LightCurves
from telperion.serve.monitor import Status
from telperion.taxonomy import Taxonomy

TREE = Taxonomy.load("elasticc")


def shown(part) -> str:
    console = Console(file=io.StringIO(), width=100)
    console.print(part)
    return console.file.getvalue()


def test_the_account_names_every_fate_and_the_speed():
    status = Status(
        {"packets": 1205, "answered": 1200, "dead": 4, "repeated": 1, "replays": 7}, 300, {"50": 0.1, "99": 0.25}
    )
    text = account(status)
    assert "1,205 packets = 1,200 answered + 4 dead + 0 solar system + 1 repeated + 0 filtered" in text
    assert "300 answers a second" in text
    assert "100 ms" in text
    assert "7 histories" in text


def test_what_packets_hold_is_no_markup():
    assert "[red]x" in shown(letters_table([{"place": "[b]", "reason": "[red]x"}]))


def test_classes_are_summed_up():
    text = shown(class_table({"KN": ClassCounts(3, 0.1, [3, 2, 1]), "TDE": ClassCounts(1000, 4.0, [900, 800, 700])}))
    assert text.splitlines()[-1].split() == ["all", "1,003", "903", "802", "701"]


def test_an_object_shows_what_its_answer_stands_on():
    time, flux = [50.0, 100.0, 101.0, 102.0], [1e6, 10, 1e4, 100]
    curves = LightCurves(["a"], [0, 4], time, [2, 2, 2, 2], flux, [5] * 4, [False, True, True, True])
    node = TREE.index("KN")
    said = TREE.ancestors[node].astype(np.float32)[None]
    found = Latest(
        np.array(["77"]), np.array([TREE.index("TDE")]), np.array([5]), np.array([2.5]), np.array([3]), said,
        np.array([node]), np.array([TREE.index("Fast")]),
    )  # fmt: skip
    text = shown(object_table(found, curves, TREE))
    assert "r 21.4 mag" in text  # 1e4 nJy, not the 1e6 of long before the first detection
    assert "2 d, 3 rows" in text
    assert "Transient 1.00 › Fast 1.00" in text
    assert "› KN 1.00, promised: Fast" in text
    assert "TDE" in text
