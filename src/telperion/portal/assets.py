"""The portal's own files, read once when it starts: no request ever names a path of the file system."""

from __future__ import annotations

import mimetypes
import re
from dataclasses import dataclass
from functools import lru_cache
from hashlib import sha256
from importlib.resources import files
from importlib.resources.abc import Traversable

from fastapi.responses import Response

_URL = re.compile(r'url\("([^":]+)"\)')
_TYPES = {".js": "text/javascript", ".css": "text/css", ".woff2": "font/woff2", ".svg": "image/svg+xml"}


@dataclass(frozen=True)
class Asset:
    """A file: its bytes, their type, and what its address ends with so that browsers may keep it for good."""

    data: bytes
    kind: str
    mark: str


@lru_cache(maxsize=1)
def assets() -> dict[str, Asset]:
    """Give all files of ``static/`` by their name below it."""
    found: dict[str, Asset] = {}

    def walk(folder: Traversable, above: str) -> None:
        for entry in folder.iterdir():
            name = above + entry.name
            if entry.is_dir():
                walk(entry, name + "/")
                continue
            end = "." + entry.name.rpartition(".")[2]
            kind = _TYPES.get(end) or mimetypes.guess_type(entry.name)[0] or "application/octet-stream"
            data = entry.read_bytes()
            found[name] = Asset(data, kind, sha256(data).hexdigest()[:10])

    walk(files("telperion.portal") / "static", "")
    for name, asset in found.items():
        if (
            asset.kind == "text/css"
        ):  # what a style sheet asks for is to have the same address as where a page asks for it
            data = _URL.sub(lambda url: f'url("/static/{url[1]}?v={found[url[1]].mark}")', asset.data.decode()).encode()
            found[name] = Asset(data, asset.kind, sha256(data).hexdigest()[:10])
    return found


def address(name: str) -> str:
    """Give the address of a file.

    Examples
    --------
    >>> address("portal.css").startswith("/static/portal.css?v=")
    True
    """
    return f"/static/{name}?v={assets()[name].mark}"


def answer(name: str) -> Response:
    """Give the answer to a request for a file: the file, or that there is none."""
    found = assets().get(name)
    if found is None:
        return Response("not found\n", 404, media_type="text/plain")
    return Response(found.data, media_type=found.kind, headers={"Cache-Control": "public, max-age=31536000, immutable"})
