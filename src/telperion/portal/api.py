"""The typed API below ``/api/v1``."""

from __future__ import annotations

import asyncio
import math
from typing import Annotated, Any

from fastapi import APIRouter, HTTPException, Query, Request
from fastapi.responses import JSONResponse, Response
from pydantic import BaseModel

from telperion import __version__
from telperion.bands import BANDS
from telperion.lightcurves import LightCurves
from telperion.portal import schemas
from telperion.portal.instant import latest, shown
from telperion.portal.neighbours import Neighbourhood, looks
from telperion.portal.pages_object import LONGEST_ID
from telperion.portal.shown import Shown, Track
from telperion.portal.shows import shown_of
from telperion.portal.site import Site
from telperion.portal.upload_files import read_upload
from telperion.portal.upload_rows import UploadError
from telperion.serve.sky import Listed, Wanted
from telperion.taxonomy import Taxonomy

MOST_TRACKED = 5
"""Objects of an upload up to which each one's whole track is given; of more, the latest answers alone."""

_LARGEST = 2**62
_PROBLEMS: dict[int | str, dict[str, Any]] = {
    status: {"model": schemas.Problem, "description": text}
    for status, text in {
        400: "what was asked cannot be", 401: "a token is needed", 403: "another site sent this", 404: "there is none",
        413: "too large", 421: "not a name of this portal", 422: "what was asked, or a file at its rows",
        429: "too many requests",
    }.items()
}  # fmt: skip


def router(site: Site) -> APIRouter:
    """Give the API's addresses."""
    made = APIRouter(prefix="/api/v1", responses=_PROBLEMS)

    @made.get("/about", summary="What the portal shows, and the class tree")
    def about() -> schemas.About:
        """Classifier, its tree, and how much there is."""
        sky = site.sky
        tree = site.model.classifier.tree if sky is None else sky.tree
        promise = site.model.classifier.promise if sky is None else None
        level = (promise.usual if promise else None) if sky is None else _number(sky.level)
        return schemas.About(
            telperion=__version__, sky=sky is not None, level=level, nodes=_nodes(tree),
            classifier=site.model.label if sky is None else sky.name,
            classifier_version=site.model.classifier.fingerprint if sky is None else sky.version,
            objects=0 if sky is None else sky.count(Wanted()), version=0 if sky is None else sky.version_now(),
        )  # fmt: skip

    @made.get("/objects", response_model=schemas.Page, summary="Objects, filtered and in an order, page by page")
    def objects(
        node: Annotated[str, Query(max_length=100, description="a node of the tree; all by default")] = "",
        promised: Annotated[bool, Query(description="of the node is what is promised; else what is likeliest")] = False,
        least: Annotated[float, Query(ge=0, le=1, description="smallest probability of the node")] = 0.0,
        most_days: Annotated[float | None, Query(ge=0, le=1e6, description="days since the first detection")] = None,
        least_rows: Annotated[
            int, Query(ge=0, le=1_000_000, description="rows that the answer stands on, at least")
        ] = 0,
        text: Annotated[str, Query(max_length=100, description="part of the object's name")] = "",
        sort: schemas.Sort = "follow-up",
        limit: Annotated[int, Query(ge=1, le=500, description="objects of a page")] = 50,
        after: Annotated[str | None, Query(max_length=500, description="what the page before gives as next")] = None,
    ) -> Response:
        """Objects that are wanted, and where the next page begins."""
        sky = site.need_sky()
        if node and node not in sky.tree:
            raise HTTPException(400, f"the tree has no node {node!r}")
        wanted = Wanted(
            node=node, least=least, promised=promised and bool(node), most_days=most_days, least_rows=least_rows,
            text=text, sort=sort,
        )  # fmt: skip
        version = sky.version_now()
        try:
            found = sky.objects(wanted, limit=limit + 1, after=after or None)
        except ValueError as error:
            raise HTTPException(400, str(error)) from error
        more = sky.cursor(found[limit - 1], wanted) if len(found) > limit else None
        brief = [_brief(each, sky.tree) for each in found[:limit]]
        return _json(schemas.Page(objects=brief, next=more, count=sky.count(wanted), version=version))

    @made.get(
        "/object",
        response_model=schemas.Object,
        summary="One object: light curve, context, and all that was said of it",
    )
    def one(
        object_id: Annotated[str, Query(alias="id", max_length=LONGEST_ID, description="the object's name")],
    ) -> Response:
        """Names of objects may hold anything, so they stand in the query."""
        return _json(_object(_found(site, object_id)))

    @made.get("/similar", response_model=schemas.Looks, summary="What an object looks like")
    def similar(
        object_id: Annotated[str, Query(alias="id", max_length=LONGEST_ID, description="the object's name")],
    ) -> Response:
        """Give the nearest classes, and the nearest known objects with their light curves."""
        found = looks(site.model.classifier, _found(site, object_id))
        if found is None:
            raise HTTPException(404, "there is nothing that this object could be compared with")
        return _json(_looks(found))

    @made.get("/changes", summary="Which objects were answered after some version")
    def changes(
        since: Annotated[int, Query(ge=0, le=_LARGEST, description="a version that was told before")],
        limit: Annotated[int, Query(ge=1, le=1000, description="names, at most")] = 200,
    ) -> schemas.Changes:
        """For whoever polls; who wants to be told listens to /events."""
        version, ids = site.need_sky().changed(since, limit)
        return schemas.Changes(version=version, object_ids=ids)

    body = {"schema": {"type": "string", "format": "binary"}}

    @made.post(
        "/classify",
        response_model=schemas.Classified,
        summary="Answers to light curves of your own",
        openapi_extra={
            "requestBody": {
                "required": True, "content": {"text/csv": body, "application/vnd.apache.parquet": body},
            }
        },
    )  # fmt: skip
    async def classify(
        request: Request, unit: Annotated[schemas.Unit, Query(description="of fluxes")] = "njy"
    ) -> Response:
        """CSV or Parquet in the body, columns as the page Upload explains them. Nothing is kept.

        Up to five objects get their whole track; of more, each one's latest answer is given.
        """
        data = bytearray()
        async for piece in request.stream():
            data += piece
        try:
            curves = await asyncio.to_thread(read_upload, bytes(data), unit, site.settings)
        except UploadError as error:
            faults = [schemas.Fault(line=f.line, column=f.column, what=f.what) for f in error.faults]
            problem = schemas.Problem(detail=str(error), faults=faults, count=error.count)
            return JSONResponse(problem.model_dump(), 422)

        def answer() -> schemas.Classified:
            classifier, name = site.model.classifier, site.model.label
            if len(curves) <= MOST_TRACKED:
                found = [shown(classifier, name, curves[k]) for k in range(len(curves))]
            else:
                said = latest(classifier, curves)
                level = classifier.promise.usual if classifier.promise else float("nan")
                found = [
                    Shown(curves[k], said[k : k + 1], classifier.tree, name, classifier.fingerprint, level)
                    for k in range(len(curves))
                ]
            return schemas.Classified(objects=[_object(each) for each in found])

        answered = await asyncio.to_thread(answer)
        return _json(answered)

    return made


def _found(site: Site, object_id: str) -> Shown:
    sky = site.need_sky()
    known = sky.object(object_id)
    if known is None:
        raise HTTPException(404, "there is no such object")
    return shown_of(sky, known)


def _json(found: BaseModel) -> Response:
    """Give what was checked when it was made; the framework would check it a second time."""
    return Response(found.model_dump_json(), media_type="application/json")


def _brief(listed: Listed, tree: Taxonomy) -> schemas.Brief:
    return schemas.Brief(
        object_id=listed.object_id, ra=_number(listed.ra), decl=_number(listed.decl),
        alert_time=_number(listed.alert_time), days=_number(listed.days), n_rows=listed.n_rows,
        magnitude=_number(listed.magnitude), band=listed.band, leaf=listed.leaf,
        leaf_probability=listed.leaf_probability, promised=listed.confident,
        promised_probability=listed.confident_probability, score=_number(listed.score),
        probabilities=_by_node(listed.probabilities.tolist(), tree),
    )  # fmt: skip


def _object(found: Shown) -> schemas.Object:
    curves = found.curves
    return schemas.Object(
        object_id=found.object_id, classifier=found.classifier, classifier_version=found.version,
        level=_number(found.level), first_detection=_number(float(curves.first_detection[0])),
        context={name: float(values[0]) for name, values in curves.context.items() if math.isfinite(values[0])},
        context_kind=found.context_kind,
        light_curve=_light_curve(curves),
        answers=_said(found.track, found.tree),
    )  # fmt: skip


def _light_curve(curves: LightCurves) -> schemas.LightCurve:
    return schemas.LightCurve(
        time=curves.time.tolist(), band=[BANDS[place] for place in curves.band], flux=curves.flux.tolist(),
        flux_err=curves.flux_err.tolist(), detected=curves.detected.tolist(),
    )  # fmt: skip


def _looks(found: Neighbourhood) -> schemas.Looks:
    return schemas.Looks(
        classes=[schemas.Likeness(name=each.name, distance=each.distance) for each in found.classes],
        objects=[
            schemas.KnownObject(
                object_id=str(each.curve.object_id[0]), label=each.name, redshift=_number(each.redshift),
                distance=each.distance, light_curve=_light_curve(each.curve),
            )
            for each in found.objects
        ],
        strangeness=found.strangeness, days=found.day,
    )  # fmt: skip


def _said(track: Track, tree: Taxonomy) -> list[schemas.Said]:
    return [
        schemas.Said(
            time=_number(float(track.time[k])), days=_number(float(track.days[k])), n_rows=int(track.n_rows[k]),
            leaf=tree.nodes[track.leaf[k]], promised=tree.nodes[track.confident[k]],
            probabilities=_by_node(track.probabilities[k].tolist(), tree),
        )
        for k in range(len(track))
    ]  # fmt: skip


def _by_node(values: list[float], tree: Taxonomy) -> dict[str, float]:
    return {name: round(value, 6) for name, value in zip(tree.nodes, values, strict=True)}


def _nodes(tree: Taxonomy) -> list[schemas.Node]:
    leaves = set(tree.leaves.tolist())
    return [
        schemas.Node(
            name=name, parent=tree.nodes[tree.parent[k]] if k else None, depth=int(tree.depth[k]), leaf=k in leaves
        )
        for k, name in enumerate(tree.nodes)
    ]


def _number(value: float) -> float | None:
    return float(value) if math.isfinite(value) else None
