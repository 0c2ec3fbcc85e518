"""`Settings`: how the portal is served, and what it refuses before it starts."""

from __future__ import annotations

import ipaddress
import socket
from dataclasses import dataclass

LOOPBACK_NAMES = ("localhost", "127.0.0.1", "::1")
_SHORTEST_TOKEN = 8


@dataclass(frozen=True)
class Settings:
    """How the portal is served.

    Parameters
    ----------
    host : str
        The address to listen at.
    port : int
        0 takes a free one.
    token : str
        Whoever asks must know it; "" asks nobody for anything.
    open : bool
        Other machines may ask without a token.
    names : tuple of str
        Further names by which browsers may call this machine.
    rate, burst : float
        Requests a second that one client may make for long, and at once; 0 sets no limit.
    streams, streams_each : int
        Live connections at a time: of all clients together, and of one.
    most_bytes, most_rows, most_objects : int
        Of one upload.
    poll : float, s
        How often the sky is asked whether it has changed.

    Raises
    ------
    ValueError
        The portal would answer other machines though neither a token nor `open` is given, the token is too short, or a
        limit is not above zero.

    Examples
    --------
    >>> Settings().loopback, Settings(host="0.0.0.0", token="a long secret").loopback
    (True, False)
    >>> Settings(host="0.0.0.0")
    Traceback (most recent call last):
    ValueError: 0.0.0.0 answers other machines: give --token, or say --open that anybody may read and upload
    """

    host: str = "127.0.0.1"
    port: int = 8765
    token: str = ""
    open: bool = False
    names: tuple[str, ...] = ()
    rate: float = 50.0
    burst: float = 300.0
    streams: int = 200
    streams_each: int = 12
    most_bytes: int = 4 * 2**20
    most_rows: int = 20_000
    most_objects: int = 200
    poll: float = 0.2

    def __post_init__(self) -> None:
        if not 0 <= self.port < 2**16:
            raise ValueError(f"the port is {self.port}, expected 0 to 65535")
        for name in ("streams", "streams_each", "most_bytes", "most_rows", "most_objects", "poll"):
            if not getattr(self, name) > 0:
                raise ValueError(f"{name} is {getattr(self, name)}, expected more than zero")
        if self.rate < 0 or (self.rate > 0 and self.burst < 1):
            raise ValueError(
                f"rate and burst are {self.rate:g} and {self.burst:g}, expected 0, or a burst of 1 or more"
            )
        if self.token and len(self.token) < _SHORTEST_TOKEN:
            raise ValueError(f"the token has {len(self.token)} characters, expected {_SHORTEST_TOKEN} or more")
        if not self.loopback and not self.token and not self.open:
            raise ValueError(
                f"{self.host} answers other machines: give --token, or say --open that anybody may read and upload"
            )

    @property
    def loopback(self) -> bool:
        """Whether this machine alone can ask."""
        if self.host == "localhost":
            return True
        try:
            return ipaddress.ip_address(self.host.strip("[]")).is_loopback
        except ValueError:
            return False

    def known_host(self, name: str) -> bool:
        """Say whether a request may call this machine so: else it is a page elsewhere whose name was bent to here.

        Parameters
        ----------
        name : str
            What the header Host says, with or without a port.

        Examples
        --------
        >>> settings = Settings()
        >>> [settings.known_host(name) for name in ("localhost:8765", "[::1]:8765", "evil.example", "")]
        [True, True, False, False]
        """
        bare = _without_port(name)
        if bare in (*LOOPBACK_NAMES, self.host.lower(), *(name.lower() for name in self.names)):
            return True
        if self.loopback:
            return False
        return _is_address(bare) or bare in (socket.gethostname().lower(), socket.getfqdn().lower())


def _without_port(name: str) -> str:
    bare = name.strip().lower()
    if bare.startswith("["):
        return bare[1:].partition("]")[0]
    return bare.rpartition(":")[0] if bare.count(":") == 1 else bare


def _is_address(name: str) -> bool:
    """Say whether this is an address: no server of names can bend that."""
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True
