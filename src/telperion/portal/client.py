"""A client of the portal's API in the standard library alone.

from telperion.portal.client import Portal
for found in Portal("http://127.0.0.1:8765").objects(node="TDE", promised=True):
    print(found["object_id"], found["magnitude"])
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.error import HTTPError, URLError
from urllib.parse import urlencode, urlsplit
from urllib.request import Request, urlopen

Json = dict[str, Any]


class PortalError(RuntimeError):
    """The portal refused, or does not answer.

    Parameters
    ----------
    status : int
        Of HTTP; 0 if there was no answer.
    detail : str
        What the portal says about it.
    faults : list of dict
        Of an upload: ``line``, ``column`` and ``what`` of each fault.
    """

    def __init__(self, status: int, detail: str, faults: list[Json] | None = None) -> None:
        self.status, self.detail, self.faults = status, detail, faults or []
        super().__init__(f"{status}: {detail}" if status else detail)


class Portal:
    """A portal that answers at some address.

    Parameters
    ----------
    address : str
        As ``telperion serve`` says it.
    token : str
        Where it asks for one.
    timeout : float, s

    Raises
    ------
    ValueError
        The address is none of http or https.

    Examples
    --------
    >>> portal = Portal("http://127.0.0.1:8765")
    >>> portal.about()["classifier"]  # doctest: +SKIP
    'elasticc'
    """

    def __init__(self, address: str, token: str = "", *, timeout: float = 60.0) -> None:
        if urlsplit(address).scheme not in ("http", "https"):
            raise ValueError(f"the address is {address!r}, expected http://HOST:PORT")
        self._address, self._token, self._timeout = address.rstrip("/"), token, timeout

    def about(self) -> Json:
        """Say what the portal shows: the classifier, its tree, how many objects."""
        return self._json("/api/v1/about", {})

    def objects(
        self, *, node: str = "", promised: bool = False, least: float = 0.0, most_days: float | None = None,
        least_rows: int = 0, text: str = "", sort: str = "follow-up", most: int | None = None,
    ) -> Iterator[Json]:  # fmt: skip
        """Go through objects, page after page.

        Parameters
        ----------
        node, promised, least, most_days, least_rows, text, sort
            As in the API (`telperion.serve.sky.Wanted`).
        most : int, optional
            After so many it ends.
        """
        wanted: Json = {
            "node": node, "promised": promised, "least": least, "most_days": most_days, "least_rows": least_rows,
            "text": text, "sort": sort,
        }  # fmt: skip
        given, after = 0, None
        while most is None or given < most:
            limit = 500 if most is None else min(500, most - given)
            page = self._json("/api/v1/objects", wanted | {"limit": limit, "after": after})
            yield from page["objects"]
            given += len(page["objects"])
            after = page["next"]
            if after is None:
                return

    def object(self, object_id: str) -> Json:
        """Give one object: its light curve, context, and all that was said of it."""
        return self._json("/api/v1/object", {"id": object_id})

    def similar(self, object_id: str) -> Json:
        """Say what an object looks like: the nearest classes, and the nearest known objects with light curves."""
        return self._json("/api/v1/similar", {"id": object_id})

    def classify(self, data: str | bytes | Path, *, unit: str = "njy") -> list[Json]:
        """Have light curves answered: a file, or the text or bytes of one (CSV or Parquet).

        Raises
        ------
        PortalError
            What is wrong with them stands in ``faults``, at its rows.
        """
        body = data.read_bytes() if isinstance(data, Path) else data.encode() if isinstance(data, str) else data
        kind = "application/vnd.apache.parquet" if body[:4] == b"PAR1" else "text/csv"
        with self._open("/api/v1/classify", {"unit": unit}, body, kind) as answer:
            return list(json.load(answer)["objects"])

    def watch(self, since: int | None = None) -> Iterator[Json]:
        """Wait for objects to be answered: ``version`` and ``ids`` each time, for as long as one asks.

        A connection that is lost is made again, and tells what was missed.
        """
        while True:
            try:
                with self._open("/events", {"since": since}, None, "") as answer:
                    for line in answer:
                        if line.startswith(b"data: ") and "ids" in (found := json.loads(line[6:])):
                            since = found["version"]
                            yield found
                        elif line.startswith(b"data: ") and since is None:
                            since = found["version"]
            except PortalError as error:
                if error.status:
                    raise
            except (TimeoutError, ConnectionError, OSError):
                pass
            time.sleep(2)

    def _json(self, path: str, query: Json) -> Json:
        with self._open(path, query, None, "") as answer:
            return dict(json.load(answer))

    def _open(self, path: str, query: Json, body: bytes | None, kind: str) -> Any:
        given = {
            name: str(value).lower() if isinstance(value, bool) else value
            for name, value in query.items()
            if value is not None
        }
        headers = {"Accept": "application/json"} | ({"Content-Type": kind} if kind else {})
        if self._token:
            headers["Authorization"] = f"Bearer {self._token}"
        request = Request(f"{self._address}{path}?{urlencode(given)}", data=body, headers=headers)
        try:
            return urlopen(request, timeout=self._timeout)
        except HTTPError as error:
            try:
                said = json.loads(error.read(1_000_000))
            except ValueError:
                said = {}
            detail = said.get("detail", error.reason) if isinstance(said, dict) else error.reason
            faults = said.get("faults", []) if isinstance(said, dict) else []
            raise PortalError(error.code, detail if isinstance(detail, str) else json.dumps(detail), faults) from error
        except URLError as error:
            raise PortalError(0, f"{self._address} does not answer: {error.reason}") from error
