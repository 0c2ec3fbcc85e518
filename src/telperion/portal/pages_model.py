"""The model page, and the page about the API."""

from __future__ import annotations

from fastapi import APIRouter, Query, Request
from fastapi.responses import Response

from telperion.cards import About
from telperion.portal.model_page import CONTEXTS, UNKNOWN, facts, found, mix, scores_by_day
from telperion.portal.site import Site
from telperion.portal.templating import render
from telperion.portal.tree_rows import tree_rows


def router(site: Site) -> APIRouter:
    """Give the addresses."""
    made = APIRouter()

    @made.get("/model")
    def model(context: str = Query("photoz", max_length=20), days: float = 8.0) -> Response:
        """Show what is known of the classifier."""
        classifier, measured = site.model.classifier, site.model.measured
        days = days if 0 <= days < float("inf") else 8.0
        return render(
            site, "model.html", here="model", name=site.model.label, facts=facts(classifier), mix=mix(classifier),
            measured=measured, found=None if measured is None else found(measured, context, days),
            table=[] if measured is None else scores_by_day(measured), contexts=CONTEXTS,
            about=About.load(site.model.name), unknown=UNKNOWN,
            tree=tree_rows(classifier.tree), view=classifier.view, differs=_differs(site),
        )  # fmt: skip

    @made.get("/api")
    def api(request: Request) -> Response:
        """Explain the API in one page, from its own description."""
        paths = request.app.openapi()["paths"]
        calls = [
            {"path": path, "method": method.upper(), "summary": about.get("summary", ""),
             "description": about.get("description", ""), "parameters": about.get("parameters", [])}
            for path, methods in paths.items() for method, about in methods.items()
        ]  # fmt: skip
        return render(site, "api.html", here="api", calls=calls, base=str(request.base_url).rstrip("/"))

    return made


def _differs(site: Site) -> bool:
    """Say whether the sky was answered by another classifier than the one that this page is about."""
    return site.sky is not None and site.sky.version != site.model.classifier.fingerprint
