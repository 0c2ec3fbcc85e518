"""The stream of server-sent events that pages and programs listen to."""

from __future__ import annotations

from collections.abc import AsyncIterator

from fastapi import APIRouter, HTTPException, Request
from fastapi.responses import Response, StreamingResponse

from telperion.portal.guard import client_of
from telperion.portal.site import Site


def router(site: Site) -> APIRouter:
    """Give the address."""
    made = APIRouter()

    @made.get("/events")
    async def events(request: Request, since: str = "") -> Response:
        """Tell which objects are answered, as it happens; `since` or the last event's id says what is known."""
        if site.pulse is None:
            raise HTTPException(404, "this portal shows no sky")
        pulse, client = site.pulse, client_of(request.scope)
        if not site.slots.take(client):
            raise HTTPException(503, "too many live connections: ask again later", {"Retry-After": "10"})
        known = request.headers.get("last-event-id") or since

        async def told() -> AsyncIterator[str]:
            try:
                async for text in pulse.listen(int(known) if known.isdigit() and len(known) < 18 else None):
                    yield text
            finally:
                site.slots.leave(client)

        return StreamingResponse(told(), media_type="text/event-stream", headers={"X-Accel-Buffering": "no"})

    return made
