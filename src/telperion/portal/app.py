"""The portal as an ASGI application, and serving it."""

from __future__ import annotations

import contextlib
import signal
from collections.abc import AsyncIterator, Callable
from typing import Any

from fastapi import FastAPI, HTTPException, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, Response

from telperion import __version__
from telperion.portal import (
    api,
    assets,
    events,
    pages_list,
    pages_login,
    pages_model,
    pages_object,
    pages_upload,
)
from telperion.portal.guard import STATIC, Guard
from telperion.portal.known import Model
from telperion.portal.settings import Settings
from telperion.portal.site import Site
from telperion.portal.templating import render
from telperion.serve.sky import Sky

DESCRIPTION = (
    "Objects of a sky as they are classified along a tree of classes, and answers to light curves of your own."
)


def create_app(settings: Settings, model: Model, sky: Sky | None = None) -> Guard:
    """Make the application.

    Parameters
    ----------
    settings : Settings
    model : Model
        Answers uploads, and is what the model page is about.
    sky : Sky, optional
        What the list shows.

    Returns
    -------
    Guard
        An ASGI application with its guard in front.
    """
    site = Site(settings, model, sky)

    @contextlib.asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        if site.pulse is not None:
            await site.pulse.start()
        try:
            yield
        finally:
            if site.pulse is not None:
                await site.pulse.stop()

    made = FastAPI(
        title="Telperion", version=__version__, description=DESCRIPTION, docs_url=None, redoc_url=None,
        openapi_url="/api/v1/openapi.json", lifespan=lifespan,
    )  # fmt: skip
    made.state.site = site
    made.include_router(api.router(site))
    for module in (pages_list, pages_object, pages_upload, pages_model, pages_login, events):
        made.include_router(module.router(site), include_in_schema=False)

    @made.get(STATIC + "{name:path}", include_in_schema=False)
    async def static(name: str) -> Response:
        """Give one of the portal's own files, from memory."""
        return assets.answer(name)

    @made.get("/favicon.ico", include_in_schema=False)
    async def icon() -> Response:
        """Give the mark in a browser's tab."""
        return assets.answer("icon.svg")

    @made.get("/health", include_in_schema=False)
    async def health() -> dict[str, str]:
        """Say that the portal answers."""
        return {"status": "ok"}

    @made.exception_handler(HTTPException)
    async def refused(request: Request, error: HTTPException) -> Response:
        return _problem(site, request, error.status_code, str(error.detail), error.headers)

    @made.exception_handler(404)
    async def missing(request: Request, error: Exception) -> Response:
        return _problem(site, request, 404, str(getattr(error, "detail", "there is no such page")))

    @made.exception_handler(RequestValidationError)
    async def unfit(request: Request, error: RequestValidationError) -> Response:
        wrong = [f"{'.'.join(map(str, each['loc'][1:])) or each['loc'][0]}: {each['msg']}" for each in error.errors()]
        return _problem(site, request, 422, "; ".join(wrong[:5]))

    return Guard(made, settings, (lambda: None) if site.pulse is None else site.pulse.end)


def _problem(site: Site, request: Request, status: int, detail: str, headers: Any = None) -> Response:
    """Answer what cannot be answered: as JSON to programs, as a page to people."""
    if request.url.path.startswith("/api/") or "text/html" not in request.headers.get("accept", ""):
        return JSONResponse({"detail": detail, "faults": [], "count": 0}, status, headers)
    found = render(site, "problem.html", status=status, here="", code=status, detail=detail)
    found.headers.update(headers or {})
    return found


def server(settings: Settings, model: Model, sky: Sky | None = None, ready: Callable[[str], None] | None = None) -> Any:
    """Give a server of the portal, to be run; it lets live connections go as soon as it is told to stop.

    Parameters
    ----------
    settings : Settings
    model : Model
    sky : Sky, optional
    ready : callable, optional
        Is told the address as soon as it answers.

    Returns
    -------
    uvicorn.Server
    """
    import uvicorn

    app = create_app(settings, model, sky)

    class Server(uvicorn.Server):
        interrupted = False

        def handle_exit(self, sig: int, frame: Any) -> None:
            self.interrupted |= sig == signal.SIGINT
            super().handle_exit(sig, frame)

        async def startup(self, sockets: Any = None) -> None:
            await super().startup(sockets)
            if ready is not None and self.started:
                port = self.servers[0].sockets[0].getsockname()[1] if self.servers else settings.port
                host = f"[{settings.host}]" if ":" in settings.host else settings.host
                ready(f"http://{host}:{port}")

        async def shutdown(self, sockets: Any = None) -> None:
            app.let_go()
            await super().shutdown(sockets)

    config = uvicorn.Config(
        app, host=settings.host.strip("[]"), port=settings.port, log_level="warning", access_log=False,
        server_header=False, proxy_headers=False, timeout_graceful_shutdown=2, limit_concurrency=settings.streams + 200,
        h11_max_incomplete_event_size=32_768,
    )  # fmt: skip
    return Server(config)


def serve(
    settings: Settings, model: Model, sky: Sky | None = None, *, ready: Callable[[str], None] | None = None
) -> None:
    """Serve the portal until it is interrupted; see `server`.

    Raises
    ------
    KeyboardInterrupt
        By Ctrl-C; uvicorn's own is lost where SIGINT was ignored before, as in the background of a script.
    """
    made = server(settings, model, sky, ready)
    made.run()
    if made.interrupted:
        raise KeyboardInterrupt
