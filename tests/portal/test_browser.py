"""The portal in Chromium: pages without a fault, live updates under a reader's eyes, hostile names that do nothing."""

import time
from urllib.parse import quote

import pytest
from tests.portal.portals import HOSTILE, named, quiet, serving, write

from telperion.serve.sky import Sky
from telperion.simulate.drawn import draw

PAGES = [
    "/",
    "/?node=SN&promised=1&sort=newest",
    "/?text=nothing-like-this",
    "/object?id=obj-003",
    "/upload",
    "/model",
    "/api",
]
SIZES = [(390, 844), (1440, 900)]
THEMES = ["dark", "light"]


def rows(page) -> list[str]:
    return page.eval_on_selector_all("#rows .row", "rows => rows.map(row => row.dataset.id)")


@pytest.mark.parametrize("theme", THEMES)
@pytest.mark.parametrize("size", SIZES, ids=["phone", "desk"])
def test_every_page_is_shown_without_a_fault_and_fits_its_screen(chromium, address, size, theme):
    context = chromium.new_context(viewport={"width": size[0], "height": size[1]}, color_scheme=theme)
    with quiet(context) as page:
        for path in PAGES:
            page.goto(address + path)
            page.wait_for_load_state("networkidle" if path in ("/upload", "/model", "/api") else "load")
            assert page.locator("h1").count() == 1, path
            assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), path
            ground = page.evaluate("getComputedStyle(document.body).backgroundColor")
            assert (sum(map(int, ground[4:-1].split(","))) < 200) == (theme == "dark")
    context.close()


def test_hostile_names_do_nothing_in_the_list_and_on_their_pages(page, address):
    page.goto(f"{address}/?sort=newest")
    page.wait_for_selector("#pulse.on")
    assert set(HOSTILE) <= set(rows(page)) | {None} or page.locator("#more a").count()
    for name in HOSTILE:
        page.goto(f"{address}/object?id={quote(name, safe='')}")
        page.wait_for_selector("#chart-curve canvas")
        assert page.evaluate("JSON.parse(document.getElementById('data').textContent).object") == name
        assert page.evaluate("document.querySelector('h1').childElementCount") == 0
    page.goto(f"{address}/?text={quote(HOSTILE[0])}")
    assert page.locator("#f-text").input_value() == HOSTILE[0]


def test_charts_are_drawn_and_answer_the_pointer(page, address):
    page.goto(f"{address}/object?id=obj-003")
    page.wait_for_selector("#chart-track canvas")
    drawn = "c => { const d = c.getContext('2d').getImageData(0, 0, c.width, c.height).data; return new Set(d).size }"
    assert page.eval_on_selector("#chart-curve canvas", drawn) > 10
    box = page.locator("#chart-track .u-over").bounding_box()
    page.mouse.move(box["x"] + box["width"] * 0.8, box["y"] + 40)
    page.wait_for_function("() => document.getElementById('read-track').textContent.includes('promised')")
    page.mouse.move(box["x"] + box["width"] * 0.3, box["y"] + 40)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] * 0.6, box["y"] + 40, steps=4)
    page.mouse.up()
    page.wait_for_selector("#whole:not([hidden])")
    page.click("#whole")
    page.wait_for_selector("#whole", state="hidden")
    page.click("#unit")
    page.click(".band-toggle >> nth=2")
    assert page.locator(".band-toggle >> nth=2").get_attribute("aria-pressed") == "false"


def test_a_reader_without_a_mouse_reaches_everything(page, address):
    page.goto(address)
    page.wait_for_load_state("load")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.textContent") == "Skip to the content"
    page.keyboard.press("Enter")
    page.keyboard.press("j")
    page.keyboard.press("j")
    page.keyboard.press("k")
    first = rows(page)[0]
    assert page.evaluate("document.activeElement.closest('tr').dataset.id") == first
    page.keyboard.press("/")
    assert page.evaluate("document.activeElement.id") == "f-text"
    page.keyboard.type("obj-00")
    page.keyboard.press("Enter")
    page.wait_for_url("**/?text=obj-00**")
    assert all("obj-00" in name for name in rows(page))
    page.keyboard.press("j")
    page.keyboard.press("Enter")
    page.wait_for_url("**/object?id=**")


def test_more_rows_follow_without_a_new_page(page, address):
    page.goto(address)
    before = rows(page)
    page.click("#more a")
    page.wait_for_function(f"() => document.querySelectorAll('#rows .row').length > {len(before)}")
    after = rows(page)
    assert after[: len(before)] == before
    assert len(after) == len(set(after))


def test_the_theme_is_switched_and_kept(page, address):
    page.emulate_media(color_scheme="light")
    page.goto(address)
    light = page.evaluate("getComputedStyle(document.body).backgroundColor")
    page.click("#theme")
    dark = page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert dark != light
    page.goto(f"{address}/model")
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == dark


def test_an_upload_is_answered_and_a_bad_one_explained(page, address, tmp_path):
    page.goto(f"{address}/upload")
    page.click("button.big-button")
    page.wait_for_selector("#chart-track canvas")
    page.wait_for_selector(".near li")
    pictures = page.locator(".likes svg")
    assert pictures.count() == 9
    assert "Light curve of this object" in pictures.first.get_attribute("aria-label")
    bad = tmp_path / "<img src=x onerror=window.hacked=1>.csv"
    bad.write_text('time,band,flux,flux_err\n61000,g,"<img src=x onerror=window.hacked=1>",1\n61001,q,1,1\n')
    page.expected = ("422",)  # what the browser notes of the answer itself
    parquet = {"name": "a.parquet", "mimeType": "x/y", "buffer": b"PAR1 no"}
    pickled = {"name": "a.csv", "mimeType": "text/csv", "buffer": b"\x80\x04\x95"}
    for files in (str(bad), parquet, pickled):
        page.goto(f"{address}/upload")
        page.set_input_files("#u-file", files)
        page.click("button.big-button")
        page.wait_for_selector("#faults")
        assert page.evaluate("document.activeElement.id") == "faults"
        if files == str(bad):
            assert "line 2, flux" in page.locator("#faults").inner_text()
            assert "line 3, band" in page.locator("#faults").inner_text()


# -- what comes in while somebody looks ------------------------------------------------------------------------------


@pytest.fixture
def growing(tmp_path, model):
    folder = tmp_path / "sky"
    write(folder, named(draw(n_per_class=2, seed=2), [f"old-{k:02d}" for k in range(28)]), days=(0.0, 4.0))
    with serving(Sky(folder), model) as address:
        yield folder, address


def test_a_new_object_appears_within_a_second_of_its_writing(page, growing):
    folder, address = growing
    page.goto(f"{address}/?sort=newest")
    page.wait_for_selector("#pulse.on")
    name = HOSTILE[1]
    write(folder, named(draw(n_per_class=1, seed=9)[:1], [name]), days=(0.0,))
    written = time.monotonic()
    listed = "name => [...document.querySelectorAll('#rows .row')].some(row => row.dataset.id === name)"
    page.wait_for_function(listed, arg=name)
    assert time.monotonic() - written < 1.0
    assert "29" in page.locator("#count").inner_text()


def test_what_is_looked_at_stays_in_its_place_and_focus_and_the_new_waits(page, growing):
    folder, address = growing
    page.goto(f"{address}/?sort=newest")
    page.wait_for_selector("#pulse.on")
    page.keyboard.press("j")
    for _ in range(11):
        page.keyboard.press("j")
    order, held = rows(page), page.evaluate("document.activeElement.closest('tr').dataset.id")
    place = page.evaluate("document.activeElement.getBoundingClientRect().top")
    text = page.locator(f"[data-id='{held}'] .c-rows").inner_text()
    curves = named(draw(n_per_class=2, seed=2), [f"old-{k:02d}" for k in range(28)])
    write(folder, curves[curves.object_id == held], days=(400.0,))
    write(folder, named(draw(n_per_class=1, seed=9)[:3], ["new-1", "new-2", "new-3"]), days=(0.0,))
    page.wait_for_selector("#fresh a")
    assert "3 more objects answered" in page.locator("#fresh a").inner_text()
    page.wait_for_function(f"() => document.querySelector(\"[data-id='{held}'] .c-rows\").textContent !== '{text}'")
    assert rows(page) == order
    assert page.evaluate("document.activeElement.closest('tr').dataset.id") == held
    assert page.evaluate("document.activeElement.getBoundingClientRect().top") == pytest.approx(place, abs=1)
    page.click("#fresh a")
    page.wait_for_function("() => document.querySelectorAll('#rows .row').length === 31")


def test_an_objects_page_grows_with_it(page, growing):
    folder, address = growing
    page.goto(f"{address}/object?id=old-05")
    page.wait_for_selector("#pulse.on")
    page.locator("details summary >> nth=1").click()
    before = page.evaluate("JSON.parse(document.getElementById('data').textContent).track.day.length")
    curves = named(draw(n_per_class=2, seed=2), [f"old-{k:02d}" for k in range(28)])
    write(folder, curves[curves.object_id == "old-05"], days=(500.0,))
    page.wait_for_function(
        f"() => JSON.parse(document.getElementById('data').textContent).track.day.length === {before + 1}"
    )
    assert page.locator("#chart-track canvas").count() == 1
    assert page.evaluate("document.querySelectorAll('details')[1].open")
    assert page.locator("#chart-curve canvas").count() == 1


def test_a_portal_that_goes_away_is_told_and_found_again(chromium, sky_folder, model):
    context = chromium.new_context()
    page = context.new_page()
    with serving(Sky(sky_folder), model) as address:
        page.goto(address)
        page.wait_for_selector("#pulse.on")
    page.wait_for_selector("#pulse.lost")
    with serving(Sky(sky_folder), model, port=int(address.rpartition(":")[2])):
        page.wait_for_selector("#pulse.on")
    context.close()
