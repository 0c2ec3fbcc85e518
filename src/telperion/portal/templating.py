"""Templates into pages; everything that comes from data is escaped."""

from __future__ import annotations

import json
from functools import lru_cache
from typing import Any

from fastapi.responses import HTMLResponse
from jinja2 import Environment, PackageLoader, StrictUndefined

from telperion import __version__
from telperion.bands import BANDS
from telperion.portal import assets, words
from telperion.portal.site import Site

_CONFIG = json.dumps({
    "allowEval": False, "allowScriptTags": False, "includeIndicatorStyles": False, "selfRequestsOnly": True,
    "historyCacheSize": 0, "refreshOnHistoryMiss": True,
})  # fmt: skip
"""Of htmx: nothing that the content security policy would have to allow."""


@lru_cache(maxsize=1)
def environment() -> Environment:
    """Give the templates with what they call."""
    made = Environment(
        loader=PackageLoader("telperion.portal"), autoescape=True, undefined=StrictUndefined, trim_blocks=True,
        lstrip_blocks=True,
    )  # fmt: skip
    made.filters |= {
        "chance": words.chance, "days": words.days, "decimals": words.decimals, "figures": words.figures,
        "moment": words.moment, "ra": words.right_ascension, "dec": words.declination,
    }  # fmt: skip
    made.globals |= {"static": assets.address, "count": words.count, "htmx_config": _CONFIG, "bands": BANDS, "zip": zip}
    made.globals["package_version"] = __version__
    return made


def render(site: Site, template: str, *, status: int = 200, **values: Any) -> HTMLResponse:
    """Give a page.

    Parameters
    ----------
    site : Site
    template : str
    status : int
    **values
        What the template asks for.
    """
    sky, token = site.sky, bool(site.settings.token)
    return HTMLResponse(
        environment().get_template(template).render(has_sky=sky is not None, has_token=token, **values), status
    )
