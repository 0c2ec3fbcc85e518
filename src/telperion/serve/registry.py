"""`Registry`: schemas of packets, asked for by their ids of a schema registry that speaks as Confluent's does."""

from __future__ import annotations

import base64
import json
import time
from collections.abc import Iterator, Mapping
from http.client import HTTPException
from typing import Any
from urllib.error import HTTPError
from urllib.parse import SplitResult, unquote, urlsplit
from urllib.request import (
    HTTPDefaultErrorHandler,
    HTTPErrorProcessor,
    HTTPHandler,
    HTTPSHandler,
    OpenerDirector,
    ProxyHandler,
    Request,
)

from telperion.formats.avro import Node, parse_schema

LARGEST = 2**22
"""Bytes of an answer that are read; the schemas of Rubin's alerts have 60,000."""

PATIENCE = 60.0
"""Seconds for which a registry that is away is asked again."""

AGAIN = 60.0
"""Seconds after which a registry is asked again for an id that it did not know."""

_WAIT = 10.0  # for one answer
_PAUSE = 1.0
_MOST = 10_000  # ids without a schema that are kept in mind: anybody may make up four billion
_NOT_FOUND = 40403  # Confluent's number for an id that is unknown, as against a path that is
_BUSY = (408, 425, 429)


class Registry(Mapping[int, Node]):
    """Schemas by id, fetched when they are first asked for, and kept.

    Parameters
    ----------
    url : str
        ``http://HOST:PORT`` or ``https://``, with a path where the registry has one; before the host may stand
        ``USER:PASSWORD@``. Redirections are not followed.
    known : mapping of int to Node, optional
        For ids that the registry does not know.

    Raises
    ------
    ValueError
        The URL is none.

    Examples
    --------
    >>> Registry("https://me:secret@registry:8081/ccompat")
    Registry('https://registry:8081/ccompat')
    """

    def __init__(self, url: str, known: Mapping[int, Node] | None = None) -> None:
        parts = _split(url)
        login, _, place = parts.netloc.rpartition("@")
        self.url = f"{parts.scheme}://{place}{parts.path.rstrip('/')}"
        login += ":" if login and ":" not in login else ""
        self._login = base64.b64encode(unquote(login).encode()).decode("ascii")
        self._known = dict(known or {})
        self._found: dict[int, Node] = {}
        self._missing: dict[int, tuple[float, str]] = {}  # until when, and why it is of no use
        self._opener = _opener()

    def __repr__(self) -> str:
        return f"Registry({self.url!r})"

    def __bool__(self) -> bool:
        """Say that there may be schemas, also while none is fetched."""
        return True

    def __len__(self) -> int:
        return len(self._found)

    def __iter__(self) -> Iterator[int]:
        return iter(self._found)

    def __getitem__(self, number: int) -> Node:
        """Give the schema with an id.

        Raises
        ------
        KeyError
            The registry does not know it, or did not a moment ago.
        ValueError
            What it has under that id is no schema of Avro.
        ConnectionError
            It does not answer for a minute, or not as a registry does.
        """
        if number in self._found:
            return self._found[number]
        until, why = self._missing.get(number, (0.0, ""))
        if time.monotonic() >= until:
            why = self._fetch(number)
        if number in self._found:
            return self._found[number]
        if not why and number in self._known:
            return self._known[number]
        raise ValueError(f"the schema id {number}: {why}") if why else KeyError(number)

    def _fetch(self, number: int) -> str:
        """Fetch a schema; says why it is of no use, if it is there and is of none."""
        answer, why = self._ask(number), ""
        self._missing.pop(number, None)
        if answer is not None:
            try:
                self._found[number] = _schema(answer)
                return ""
            except ValueError as error:
                why = f"the registry's schema is of no use: {error}"
        while len(self._missing) >= _MOST:
            del self._missing[next(iter(self._missing))]
        self._missing[number] = time.monotonic() + AGAIN, why
        return why

    def _ask(self, number: int) -> dict[str, Any] | None:
        """Ask until there is an answer; None where the id is unknown."""
        until = time.monotonic() + PATIENCE
        while True:
            try:
                return self._get(f"/schemas/ids/{number}")
            except HTTPError as error:
                if error.code == 404 and _code(error) == _NOT_FOUND:
                    return None
                why = f"HTTP {error.code}"
                if error.code < 500 and error.code not in _BUSY:
                    where = error.headers.get("Location")
                    why += f", which names {where[:200]!r}: that is not followed" if where else ""
                    raise ConnectionError(f"{self.url} does not answer as a schema registry: {why}") from error
            except (OSError, HTTPException) as error:
                why = str(getattr(error, "reason", "") or error) or type(error).__name__
            except ValueError as error:
                raise ConnectionError(f"{self.url} does not answer as a schema registry: {error}") from error
            if time.monotonic() + _PAUSE > until:
                raise ConnectionError(f"{self.url}: no schema registry answers for {PATIENCE:g} s: {why}")
            time.sleep(_PAUSE)

    def _get(self, path: str) -> dict[str, Any]:
        request = Request(self.url + path, headers={"Accept": "application/vnd.schemaregistry.v1+json"})
        if self._login:
            request.add_unredirected_header("Authorization", f"Basic {self._login}")
        with self._opener.open(request, timeout=_WAIT) as answer:
            return _json(_read(answer))


def _opener() -> OpenerDirector:
    """Give what asks by HTTP and nothing else: it follows no redirection, to files or to who would like the login."""
    opener = OpenerDirector()
    for handler in (ProxyHandler, HTTPHandler, HTTPSHandler, HTTPDefaultErrorHandler, HTTPErrorProcessor):
        opener.add_handler(handler())
    return opener


def _split(url: str) -> SplitResult:
    """Take a URL apart; what is wrong with it is not shown, since it may hold a password."""
    wrong = ValueError("the address of the schema registry is no URL such as http://HOST:PORT")
    try:
        parts = urlsplit(url)
        sound = parts.scheme in ("http", "https") and parts.hostname and (parts.port or 1) and url.isascii()
    except ValueError:
        raise wrong from None
    if not sound or parts.query or parts.fragment or not url.isprintable() or " " in url:
        raise wrong
    return parts


def _read(answer: Any) -> bytes:
    """Read an answer, but for one that is too large; one that drips is given up.

    Raises
    ------
    OSError
        It is not whole.
    """
    until, data = time.monotonic() + _WAIT, b""
    while more := answer.read1(2**16):
        data += more
        if len(data) > LARGEST:
            return b"{}"  # no schema
        if time.monotonic() > until:
            raise TimeoutError(f"the answer is not whole after {_WAIT:g} s")
    if answer.length:
        raise ConnectionResetError(f"the answer lacks {answer.length} bytes")
    return data


def _json(answer: bytes) -> dict[str, Any]:
    """Read a JSON object; one that is nested too deeply is empty.

    Raises
    ------
    ValueError
        It is none.
    """
    try:
        about = json.loads(answer)
    except RecursionError:
        return {}
    except ValueError as error:
        raise ValueError("its answer is no JSON") from error
    if not isinstance(about, dict):
        raise ValueError("its answer is no JSON object")
    return about


def _schema(about: Mapping[str, Any]) -> Node:
    """Read the schema out of an answer.

    Raises
    ------
    ValueError
        There is none.
    """
    if not isinstance(text := about.get("schema"), str):
        raise ValueError("the answer is too large, too deep, or has no text 'schema'")
    if (kind := about.get("schemaType") or "AVRO") != "AVRO":
        raise ValueError(f"it is of the type {str(kind)[:40]!r}, not AVRO")
    return parse_schema(text)


def _code(error: HTTPError) -> Any:
    """Give the number of an error, as registries have them beside HTTP's."""
    try:
        return _json(_read(error)).get("error_code")
    except (ValueError, OSError, HTTPException):
        return None
