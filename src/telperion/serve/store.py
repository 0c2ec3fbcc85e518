"""`Store`: what a stream must not lose, in one embedded database: states, answers not yet published, positions."""

from __future__ import annotations

import fcntl
import json
import zlib
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Self

import lmdb

from telperion.serve.store_error import StoreError

FORMAT = 1
LARGEST = 2**38
"""Bytes that a store may grow to, by default; they are taken as they are needed."""

_ABOUT = b"about"


class Store:
    """States of objects, messages to be published, and an account, changed together or not at all.

    Parameters
    ----------
    folder : path
        Made if it is not there. One process at a time may use it.
    version : str
        Of the classifier: states of another one are dropped, since they come again from the alerts' histories.
    largest : int
        Bytes that it may grow to.
    durable : bool
        Whether a commit waits for the disk. Without, a crash of the process loses nothing; one of the machine may
        damage the store.

    Attributes
    ----------
    about : dict
        The account, as it was last committed.

    Raises
    ------
    StoreError
        Another process uses the folder, it is read-only, damaged, or of another version.
    """

    def __init__(self, folder: str | Path, version: str, *, largest: int = LARGEST, durable: bool = False) -> None:
        self.folder, self.version = Path(folder), version
        self._lock = self._take()
        file = self.folder / "data.mdb"
        fresh = not file.exists()
        try:
            self._check_size()
            self._environment = lmdb.open(
                str(self.folder), map_size=largest, max_dbs=4, sync=durable, metasync=durable, readahead=False,
                max_readers=8,
            )  # fmt: skip
            self._states = self._environment.open_db(b"states")
            self._outbox = self._environment.open_db(b"outbox", integerkey=False)
            self._rest = self._environment.open_db(b"rest")
            self.about: dict[str, Any] = self._read_about()
        except (lmdb.Error, OSError) as error:
            if fresh:
                file.unlink(missing_ok=True)  # half made, as on a full disk: it would count as damaged
            self._lock.close()
            raise self._error("opened", error) from error
        except BaseException:
            self._lock.close()
            raise

    def _take(self) -> IO[bytes]:
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            lock = open(self.folder / "telperion.lock", "ab")  # noqa: SIM115 - held as long as the store is
        except OSError as error:
            raise self._error("opened", error) from error
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            lock.close()
            raise StoreError(f"{self.folder}: another process uses this store") from error
        return lock

    def _check_size(self) -> None:
        """Refuse a file that was cut short: to read beyond its end would end the process."""
        file = self.folder / "data.mdb"
        if not file.is_file() or not file.stat().st_size:
            return
        with lmdb.open(str(self.folder), max_dbs=4, readonly=True, lock=False) as environment:
            needed = (environment.info()["last_pgno"] + 1) * environment.stat()["psize"]
        if file.stat().st_size < needed:
            raise StoreError(self._damaged(f"{file.name} has {file.stat().st_size} bytes of {needed}"))

    def _read_about(self) -> dict[str, Any]:
        with self._environment.begin() as transaction:
            text = transaction.get(_ABOUT, db=self._rest)
            entries = sum(transaction.stat(part)["entries"] for part in (self._states, self._outbox))
        if text is None:
            if entries:
                raise StoreError(self._damaged("its account is gone"))
            return {"format": FORMAT, "version": self.version}
        try:
            about: dict[str, Any] = json.loads(self._opened(_ABOUT, text))
            found = about["format"], about["version"]
        except (ValueError, KeyError, TypeError) as error:
            raise StoreError(self._damaged("its account cannot be read")) from error
        if found[0] != FORMAT:
            raise StoreError(f"{self.folder}: the store has format {found[0]!r}, this version reads {FORMAT}")
        if found[1] != self.version:
            with self._environment.begin(write=True) as transaction:
                transaction.drop(self._states, delete=False)
                about["version"] = self.version
                transaction.put(_ABOUT, _sealed(_ABOUT, json.dumps(about).encode()), db=self._rest)
        return about

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Write everything to disk and let others use the folder."""
        try:
            self.sync()
        finally:
            self._environment.close()
            self._lock.close()

    def read(self, keys: Sequence[bytes]) -> list[bytes | None]:
        """Give the states of objects, None where there is none."""
        try:
            with self._environment.begin(db=self._states) as transaction:
                return [transaction.get(key) for key in keys]
        except lmdb.Error as error:
            raise self._error("read", error) from error

    def waiting(self) -> list[tuple[int, bytes]]:
        """Give what is to be published, by its number, in order."""
        try:
            with self._environment.begin(db=self._outbox) as transaction:
                return [(int.from_bytes(key, "big"), self._opened(key, value)) for key, value in transaction.cursor()]
        except lmdb.Error as error:
            raise self._error("read", error) from error

    def commit(
        self,
        states: Iterable[tuple[bytes, bytes]] = (),
        outbox: Mapping[int, bytes] | None = None,
        *,
        done: Iterable[int] = (),
        **about: Any,
    ) -> None:
        """Change everything together.

        Parameters
        ----------
        states : iterable of (key, value)
            Replace what was kept of these objects.
        outbox : mapping of int to bytes, optional
            To be published.
        done : iterable of int
            Numbers of what is published.
        **about
            Entries of the account that change.

        Raises
        ------
        StoreError
            The disk or the store is full, or cannot be written; nothing is changed.
        """
        account = self.about | about
        try:
            with self._environment.begin(write=True) as transaction:
                transaction.cursor(self._states).putmulti(states)
                for number, value in (outbox or {}).items():
                    key = number.to_bytes(8, "big")
                    transaction.put(key, _sealed(key, value), db=self._outbox)
                for number in done:
                    transaction.delete(number.to_bytes(8, "big"), db=self._outbox)
                transaction.put(_ABOUT, _sealed(_ABOUT, json.dumps(account).encode()), db=self._rest)
        except (lmdb.Error, OSError) as error:
            raise self._error("written", error) from error
        self.about = account

    def sync(self) -> None:
        """Wait until all that is committed is on the disk."""
        try:
            self._environment.sync(True)
        except (lmdb.Error, OSError) as error:
            raise self._error("written", error) from error

    def __len__(self) -> int:
        """Give the number of objects."""
        try:
            with self._environment.begin() as transaction:
                entries: int = transaction.stat(self._states)["entries"]
        except lmdb.Error as error:
            raise self._error("read", error) from error
        return entries

    def _opened(self, key: bytes, sealed: bytes) -> bytes:
        if (value := sealed[4:]) and sealed == _sealed(key, value):
            return value
        raise StoreError(self._damaged("what waits in it, or its account, has changed"))

    def _error(self, what: str, error: Exception) -> StoreError:
        if isinstance(error, lmdb.MapFullError):
            return StoreError(f"{self.folder}: the store is full: let it grow (--store-size) or use an empty folder")
        broken = (lmdb.CorruptedError, lmdb.InvalidError, lmdb.PanicError, lmdb.PageNotFoundError)
        if isinstance(error, broken):
            return StoreError(self._damaged(str(error)))
        return StoreError(f"{self.folder}: the store cannot be {what}: {error}")

    def _damaged(self, why: str) -> str:
        return (
            f"{self.folder}: the store is damaged ({why}). Move the folder away: states come again from the histories "
            "of alerts, positions from the Kafka group"
        )


def _sealed(key: bytes, value: bytes) -> bytes:
    """Give a value with a checksum of itself and its key before it."""
    return zlib.crc32(value, zlib.crc32(key)).to_bytes(4, "little") + value
