"""axe-core finds no serious fault on any page, light on a phone and dark on a desk."""

import pytest
from tests.portal.portals import quiet

PAGES = ["/", "/?node=SN&least=2", "/object?id=obj-003", "/upload", "/model", "/api", "/login"]


@pytest.fixture(scope="module")
def axe():
    pytest.importorskip("axe_playwright_python", reason="needs axe-core: pip install axe-playwright-python")
    from axe_playwright_python.sync_playwright import Axe

    return Axe()


def serious(axe, page):
    """Run axe; its script is put in by the browser's tools, which no content security policy holds back."""
    found = axe.run(page, options={"resultTypes": ["violations"]}).response["violations"]
    return [
        (each["id"], node["target"], node["failureSummary"][:200])
        for each in found
        if each["impact"] in ("serious", "critical")
        for node in each["nodes"]
    ]


@pytest.mark.parametrize(("width", "theme"), [(390, "light"), (1440, "dark")])
def test_no_page_has_a_serious_fault(chromium, axe, address, width, theme):
    context = chromium.new_context(
        viewport={"width": width, "height": 900}, color_scheme=theme, reduced_motion="reduce"
    )
    with quiet(context) as page:
        page.expected = ("422", "CSP")
        for path in PAGES:
            page.goto(address + path)
            page.wait_for_load_state("load")
            page.evaluate("document.querySelectorAll('details').forEach(each => { each.open = true })")
            assert serious(axe, page) == [], path
        page.goto(f"{address}/upload")
        page.fill("#u-text", "object_id,time,band,flux,flux_err\na,61000,g,90,9\nb,61000,g,90,9")
        page.click("button.big-button")
        page.wait_for_selector(".answers")
        assert serious(axe, page) == []
        page.goto(f"{address}/upload")
        page.fill("#u-text", "time,band\n1,g")
        page.click("button.big-button")
        page.wait_for_selector("#faults")
        assert serious(axe, page) == []
    context.close()
