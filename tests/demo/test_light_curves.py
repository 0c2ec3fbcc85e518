import io

import pytest
from rich.console import Console

from telperion.demo.light_curves import show
from telperion.formats import parquet


@pytest.fixture
def console():
    return Console(file=io.StringIO(), width=200)


def test_the_first_objects_are_shown_under_their_own_names(classifier, drawn, console, tmp_path):
    parquet.write(drawn, tmp_path / "sky.parquet")
    show(classifier, tmp_path / "sky.parquet", console=console)
    text = console.file.getvalue()
    assert f"The first 20 of {len(drawn)} objects" in text
    assert all(name in text for name in drawn.object_id[:20])
    assert drawn.object_id[20] not in text
    assert "nothing was measured" in text
