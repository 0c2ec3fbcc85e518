"""One object: light curve, answers as it grew, tree, context, what it looks like, who says so."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Query, Request
from fastapi.responses import PlainTextResponse, Response

from telperion.portal import charts
from telperion.portal.neighbours import looks
from telperion.portal.pictures import axis, picture
from telperion.portal.shown import Shown
from telperion.portal.shows import shown_of
from telperion.portal.site import Site
from telperion.portal.templating import render
from telperion.portal.tree_rows import tree_rows

LONGEST_ID = 400


def router(site: Site) -> APIRouter:
    """Give the addresses of objects. Their names stand in the query: they may hold anything, slashes and dots too."""
    made = APIRouter()

    @made.get("/object")
    def page(request: Request, object_id: str = Query(alias="id", max_length=LONGEST_ID)) -> Response:
        """Show an object."""
        sky = site.need_sky()
        version = sky.version_now()
        known = sky.object(object_id)
        if known is None:
            return render(site, "missing.html", status=404, here="sky", object_id=object_id)
        links = {
            "csv": f"/object.csv?{request.url.query}", "neighbours": f"/object/neighbours?{request.url.query}",
            "json": f"/api/v1/object?{request.url.query}",
        }  # fmt: skip
        return object_page(site, shown_of(sky, known), here="sky", links=links, version=version, live=True)

    @made.get("/object/neighbours")
    def near(object_id: str = Query(alias="id", max_length=LONGEST_ID)) -> Response:
        """Give the part of the page that says what the object looks like; it takes the network a moment."""
        known = site.need_sky().object(object_id)
        if known is None:
            return Response(status_code=404)
        return near_part(site, shown_of(site.need_sky(), known))

    @made.get("/object.csv")
    def file(object_id: str = Query(alias="id", max_length=LONGEST_ID)) -> Response:
        """Give the light curve as a file."""
        known = site.need_sky().object(object_id)
        if known is None:
            return PlainTextResponse("no such object\n", 404)
        return csv_file(shown_of(site.need_sky(), known))

    return made


def object_page(
    site: Site, shown: Shown, *, here: str, links: dict[str, str], version: int = 0, live: bool = False
) -> Response:
    """Give the page of an object, wherever it comes from."""
    track = shown.track
    said = len(track) > 0
    tree = tree_rows(
        shown.tree,
        track.probabilities[-1] if said else None,
        int(track.confident[-1]) if said else -1,
        int(track.leaf[-1]) if said else -1,
    )
    place: dict[str, Any] = {name: float(shown.curves.context.get(name, [float("nan")])[0]) for name in ("ra", "decl")}
    return render(
        site, "object.html", here=here, shown=shown, tree=tree, said=said, links=links, version=version, live=live,
        **place, context=charts.context_rows(shown.curves.context),
        data=charts.chart_data(shown), curve_summary=charts.light_curve_summary(shown),
        track_summary=charts.track_summary(shown), steps=charts.promises(shown), rows=charts.table_rows(shown),
        answers=charts.answer_rows(shown), path=charts.path_of(shown, int(track.confident[-1])) if said else "",
    )  # fmt: skip


def near_part(site: Site, shown: Shown) -> Response:
    """Give the part about what an object looks like."""
    classifier = site.model.classifier
    found = looks(classifier, shown)
    if found is None:
        same = classifier.fingerprint == shown.version
        return render(site, "neighbours.html", found=None, same=same, name=shown.classifier)
    last = axis(found.day, found.objects)
    likes = [(each, picture(each.curve, found.day, last, f"a known {each.name}")) for each in found.objects]
    itself = picture(shown.curves, found.day, last, "this object", zero=shown.zero)
    return render(site, "neighbours.html", found=found, last=last, likes=likes, itself=itself)


def csv_file(shown: Shown) -> Response:
    """Give the light curve as a file to be saved; the name says nothing that came from outside."""
    return PlainTextResponse(
        charts.to_csv(shown), media_type="text/csv", headers={"Content-Disposition": 'attachment; filename="curve.csv"'}
    )
