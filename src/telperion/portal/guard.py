"""`Guard`: what every request goes through before anything else looks at it, and what every answer carries.

Whose name the request calls, how often its client asks, whether it knows the token, whether another site's page sends
it, and how many bytes it brings: all of it is looked at here, in front of all pages alike.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any
from urllib.parse import quote, urlsplit

from fastapi import HTTPException
from fastapi.responses import JSONResponse, PlainTextResponse, RedirectResponse, Response

from telperion.portal.limits import Buckets
from telperion.portal.login import LOGIN, knows_token
from telperion.portal.settings import Settings

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; font-src 'self'; "
    "connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
"""Nothing from elsewhere, nothing written into a page: neither scripts nor styles."""

HEADERS = {
    "Content-Security-Policy": POLICY,
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
}
STATIC = "/static/"
_COSTS = {"POST": 10.0}
_SMALL = 64 * 2**10
_ROOM = 64 * 2**10  # beside the file of an upload: the form around it


class Guard:
    """Stand in front of an application.

    Parameters
    ----------
    app : callable
        An ASGI application.
    settings : Settings
    let_go : callable
        Ends connections that stay, when the server is to stop.
    """

    def __init__(self, app: App, settings: Settings, let_go: Callable[[], None]) -> None:
        self._app, self._settings, self.let_go = app, settings, let_go
        self._buckets = Buckets(settings.rate, settings.burst)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Look at a request, and hand it on or refuse it."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
        answer = self._with_headers(scope, send)
        if refusal := self._refusal(scope, headers):
            await refusal(scope, receive, answer)
            return
        await self._app(scope, self._counted(scope, receive), answer)

    def _refusal(self, scope: Scope, headers: dict[str, str]) -> Response | None:
        path, method = str(scope["path"]), str(scope["method"])
        if not self._settings.known_host(headers.get("host", "")):
            return _refuse(scope, 421, "this name is not one of the portal's: say it with --name when it is started")
        if not path.startswith(STATIC):
            client = client_of(scope)
            if (seconds := self._buckets.wait(client, _COSTS.get(method, 1.0))) > 0:
                found = _refuse(scope, 429, "too many requests: wait a little")
                found.headers["Retry-After"] = str(int(seconds) + 1)
                return found
        if method not in ("GET", "HEAD") and not _same_origin(headers):
            return _refuse(scope, 403, "another site's page sent this: it is not listened to")
        if self._too_long(path, headers):
            return _refuse(scope, 413, f"this is larger than {self._settings.most_bytes:,} bytes")
        if self._settings.token and not path.startswith((STATIC, LOGIN)) and not knows_token(
            headers, self._settings.token
        ):  # fmt: skip
            if path.startswith("/api/") or path == "/events" or method != "GET":
                found = _refuse(scope, 401, "a token is needed: the header Authorization: Bearer TOKEN")
                found.headers["WWW-Authenticate"] = "Bearer"
                return found
            query = str(scope.get("query_string", b""), "latin-1")
            return RedirectResponse(f"{LOGIN}?to={quote(path + ('?' + query if query else ''), safe='')}", 303)
        return None

    def _most(self, path: str) -> int:
        return self._settings.most_bytes + _ROOM if path in ("/upload", "/api/v1/classify") else _SMALL

    def _too_long(self, path: str, headers: dict[str, str]) -> bool:
        length = headers.get("content-length", "0")
        return not length.isascii() or not length.isdigit() or int(length[:20]) > self._most(path)

    def _counted(self, scope: Scope, receive: Receive) -> Receive:
        """Count what comes in, and stop reading where it is too much, whatever was announced."""
        most, taken = self._most(str(scope["path"])), 0

        async def counted() -> Message:
            nonlocal taken
            message = await receive()
            taken += len(message.get("body", b"")) if message["type"] == "http.request" else 0
            if taken > most:
                raise HTTPException(413, f"this is larger than {self._settings.most_bytes:,} bytes")
            return message

        return counted

    def _with_headers(self, scope: Scope, send: Send) -> Send:
        keeps = str(scope["path"]).startswith(STATIC)

        async def answer(message: Message) -> None:
            if message["type"] == "http.response.start":
                there = {name.lower() for name, _ in message.setdefault("headers", [])}
                added = HEADERS | ({} if keeps else {"Cache-Control": "no-store"})
                message["headers"] = [
                    *message["headers"],
                    *((k.lower().encode(), v.encode()) for k, v in added.items() if k.lower().encode() not in there),
                ]
            await send(message)

        return answer


def client_of(scope: Scope) -> str:
    """Name who asks, by the address alone: headers that proxies add can be made up."""
    client = scope.get("client")
    return str(client[0]) if client else "unknown"


def _same_origin(headers: dict[str, str]) -> bool:
    """Say whether a page of our own sent this, or no page at all: browsers send one of these headers always."""
    if "sec-fetch-site" in headers and headers["sec-fetch-site"] not in ("same-origin", "none"):
        return False
    origin = headers.get("origin")
    return origin is None or urlsplit(origin).netloc.lower() == headers.get("host", "").strip().lower()


def _refuse(scope: Scope, status: int, detail: str) -> Response:
    if str(scope["path"]).startswith("/api/"):
        return JSONResponse({"detail": detail}, status)
    return PlainTextResponse(detail + "\n", status)
