"""The live list of objects."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from fastapi.responses import Response

from telperion.portal.filters import PAGE, SORTS, Filters
from telperion.portal.listing import rows
from telperion.portal.site import Site
from telperion.portal.templating import render
from telperion.portal.tree_rows import options

BOUND = 10_000
"""Objects beyond which they are not counted."""

_MOST_LIVE = 200


def router(site: Site) -> APIRouter:
    """Give the list's addresses."""
    made = APIRouter()

    @made.get("/")
    def page(request: Request) -> Response:
        """Show the list, or a part of it that the page asks for itself."""
        if site.sky is None:
            return render(site, "welcome.html", here="sky")
        sky, query = site.sky, request.query_params
        filters = Filters.of(query, sky.tree)
        version = sky.version_now()
        wrong = list(filters.wrong)
        try:
            found = sky.objects(filters.wanted, limit=PAGE + 1, after=query.get("after") or None)
        except ValueError:
            wrong.append("this place in the list is not known: here is its beginning")
            found = sky.objects(filters.wanted, limit=PAGE + 1)
        more = sky.cursor(found[PAGE - 1], filters.wanted) if len(found) > PAGE else ""
        values: dict[str, Any] = {
            "filters": filters, "rows": rows(found[:PAGE], sky.tree), "more": more, "version": version,
            "count": sky.count(filters.wanted), "wrong": wrong,
        }  # fmt: skip
        if request.headers.get("hx-request") and query.get("part") == "rows":
            return render(site, "rows_page.html", **values)
        return render(
            site, "list.html", here="sky", sorts=SORTS, options=options(sky.tree), bound=BOUND, sky=sky,
            later=bool(query.get("after")), **values,
        )  # fmt: skip

    @made.get("/rows")
    def some(ids: Annotated[list[str], Query(alias="id", max_length=_MOST_LIVE)]) -> Response:
        """Give the rows of some objects, for a page that shows them already."""
        sky = site.need_sky()
        known = [sky.object(each) for each in ids]
        return render(site, "rows.html", rows=rows([each.listed for each in known if each is not None], sky.tree))

    return made
