"""Light curves of one's own: the form, what is wrong with a file, and the answers."""

from __future__ import annotations

import asyncio

import numpy as np
from fastapi import APIRouter, Query, Request
from fastapi.responses import PlainTextResponse, RedirectResponse, Response

from telperion.lightcurves import LightCurves
from telperion.portal.instant import latest, shown
from telperion.portal.pages_object import csv_file, near_part, object_page
from telperion.portal.shown import Shown
from telperion.portal.site import Site
from telperion.portal.templating import render
from telperion.portal.upload_columns import CONTEXT, ROWS, UNIT_NAMES
from telperion.portal.upload_files import read_upload
from telperion.portal.upload_form import read_form
from telperion.portal.upload_rows import UploadError

EXAMPLE = """\
object_id,time,band,flux,flux_err
mine,61001.31,r,120,95
mine,61004.27,r,830,98
mine,61004.29,g,1010,80
mine,61007.22,i,1460,120
mine,61007.25,g,1890,85
mine,61011.30,r,2410,101
mine,61015.18,g,2120,92
mine,61015.21,i,2330,125
"""
"""What the form's text begins with: made up."""


def router(site: Site) -> APIRouter:
    """Give the addresses of uploads."""
    made = APIRouter()

    def form_page(text: str = EXAMPLE, unit: str = "njy", error: UploadError | None = None) -> Response:
        return render(
            site, "upload.html", status=422 if error else 200, here="upload", columns=ROWS, context=CONTEXT,
            units=UNIT_NAMES, settings=site.settings, minutes=site.shelf.minutes, model=site.model.label, error=error,
            text=text, unit=unit if unit in UNIT_NAMES else "njy",
        )  # fmt: skip

    @made.get("/upload")
    def form() -> Response:
        """Show the form."""
        return form_page()

    @made.post("/upload")
    async def upload(request: Request) -> Response:
        """Take a file, or text, and go on to its answers."""
        text, unit = "", "njy"
        try:
            sent = await read_form(request.headers.get("content-type", ""), request.stream(), site.settings.most_bytes)
            unit = sent.fields.get("unit", "njy")
            data = bytes(sent.file)
            if not data.strip():
                text = sent.fields.get("text", "")
                data = text.encode()
            curves = await asyncio.to_thread(read_upload, data, unit, site.settings)
        except UploadError as error:
            return form_page(text or EXAMPLE, unit, error)
        key = site.shelf.put(curves)
        return RedirectResponse(f"/answer?key={key}&n=0" if len(curves) == 1 else f"/answers?key={key}", 303)

    def kept(key: str) -> LightCurves | None:
        return site.shelf.get(key)

    def one(key: str, n: int) -> Shown | None:
        curves = kept(key)
        if curves is None or not 0 <= n < len(curves):
            return None
        return shown(site.model.classifier, site.model.label, curves[n])

    @made.get("/answers")
    def answers(key: str = Query(max_length=100)) -> Response:
        """Show the answers to a file with several objects."""
        if (curves := kept(key)) is None:
            return render(site, "missing.html", status=404, here="upload", object_id="")
        said, classifier = latest(site.model.classifier, curves), site.model.classifier
        nodes = np.array(classifier.tree.nodes)
        table = [
            {
                "n": k, "name": str(curves.object_id[k]), "rows": int(curves.lengths[k]), "days": float(said.days[k]),
                "promised": nodes[said.confident[k]], "sure": float(said.probabilities[k, said.confident[k]]),
                "leaf": nodes[said.leaf[k]], "chance": float(said.probabilities[k, said.leaf[k]]),
            }
            for k in range(len(curves))
        ]  # fmt: skip
        return render(
            site, "answers.html", here="upload", key=key, table=table, minutes=site.shelf.minutes,
            model=site.model.label, root=classifier.tree.nodes[0],
        )  # fmt: skip

    @made.get("/answer")
    def answer(key: str = Query(max_length=100), n: int = 0) -> Response:
        """Show one object of a file."""
        if (found := one(key, n)) is None:
            return render(site, "missing.html", status=404, here="upload", object_id="")
        links = {
            name: f"/answer{end}?key={key}&n={n}" for name, end in (("csv", ".csv"), ("neighbours", "/neighbours"))
        }
        curves = kept(key)
        if curves is not None and len(curves) > 1:
            links["all"] = f"/answers?key={key}"
        return object_page(site, found, here="upload", links=links)

    @made.get("/answer/neighbours")
    def near(key: str = Query(max_length=100), n: int = 0) -> Response:
        """Give the part of the page that says what the object looks like."""
        found = one(key, n)
        return Response(status_code=404) if found is None else near_part(site, found)

    @made.get("/answer.csv")
    def file(key: str = Query(max_length=100), n: int = 0) -> Response:
        """Give the light curve as a file."""
        found = one(key, n)
        return PlainTextResponse("no such object\n", 404) if found is None else csv_file(found)

    return made
