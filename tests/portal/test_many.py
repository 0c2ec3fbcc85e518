"""A sky of 100,000 objects in Chromium: listed, filtered, gone through and opened as a small one is."""

import json

import numpy as np
import pytest
from tests.portal.crowd import N, crowd
from tests.portal.portals import serving

from telperion.serve.sky import Sky
from telperion.serve.sky_sink import SkySink


@pytest.fixture(scope="module")
def many(tmp_path_factory, chromium) -> Sky:  # not made where there is no browser
    folder = tmp_path_factory.mktemp("many")
    sink = SkySink(folder)
    crowd(sink, 4, np.random.default_rng(0))
    sink.flush(last=True)
    sink.close()
    return Sky(folder)


@pytest.fixture(scope="module")
def many_address(many, model):
    with serving(many, model) as found:
        yield found


def listed(page) -> list[str]:
    return page.eval_on_selector_all("#rows .row", "rows => rows.map(row => row.dataset.id)")


def test_a_hundred_thousand_objects_are_listed_gone_through_and_opened(page, many, many_address):
    page.goto(many_address)
    first = listed(page)
    assert len(first) == len(set(first)) > 20
    page.click("#more a")
    page.wait_for_function(f"() => document.querySelectorAll('#rows .row').length > {len(first)}")
    after = listed(page)
    assert after[: len(first)] == first
    assert len(set(after)) == len(after)
    page.goto(f"{many_address}/object?id={after[-1]}")
    page.wait_for_selector("#chart-curve canvas")
    shown = json.loads(page.locator("#data").text_content())
    assert shown["object"] == after[-1]
    assert len(shown["rows"]["day"]) == 4


@pytest.mark.parametrize(
    "query", ["node=TDE&sort=surest", "node=SN&least=0.9", "promised=1&node=Transient", "text=1234", "most_days=1"]
)
def test_each_filter_finds_its_own_among_them(page, many_address, query):
    page.goto(f"{many_address}/?{query}")
    found = listed(page)
    assert 0 < len(found) < N
    asked = page.request.get(f"{many_address}/api/v1/objects?{query}&limit=50").json()["objects"]
    assert found == [each["object_id"] for each in asked][: len(found)]
