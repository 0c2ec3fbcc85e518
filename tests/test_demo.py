import io

import pytest
from rich.console import Console

from telperion.demo import show
from telperion.formats import parquet


@pytest.fixture
def console():
    return Console(file=io.StringIO(), width=200)


def test_without_data_the_curves_are_called_drawn_and_nothing_is_measured_on_them(classifier, console):
    show(classifier, console=console)
    text = console.file.getvalue()
    assert "drawn from textbook formulae" in text
    assert text.count("drawn-") == classifier.tree.leaves.size
    assert "nothing was measured" in text


def test_with_data_the_first_objects_are_shown_under_their_own_names(classifier, drawn, console, tmp_path):
    parquet.write(drawn, tmp_path / "sky.parquet")
    show(classifier, tmp_path / "sky.parquet", console=console)
    text = console.file.getvalue()
    assert f"The first 20 of {len(drawn)} objects" in text
    assert all(name in text for name in drawn.object_id[:20])
    assert "drawn from textbook formulae" not in text
