"""`Site`: all that the pages and the API have in common."""

from __future__ import annotations

from dataclasses import dataclass, field

from fastapi import HTTPException, Request

from telperion.portal.known import Model
from telperion.portal.limits import Slots
from telperion.portal.live import Pulse
from telperion.portal.settings import Settings
from telperion.portal.shelf import Shelf
from telperion.serve.sky import Sky


@dataclass(frozen=True, eq=False)
class Site:
    """What the portal shows, and with what.

    Parameters
    ----------
    settings : Settings
    model : Model
        Answers uploads.
    sky : Sky, optional
        Without one, the portal shows uploads and the model alone.
    """

    settings: Settings
    model: Model
    sky: Sky | None
    shelf: Shelf = field(default_factory=Shelf)
    pulse: Pulse | None = field(init=False)
    slots: Slots = field(init=False)

    def __post_init__(self) -> None:
        pulse = None if self.sky is None else Pulse(self.sky, self.settings.poll)
        object.__setattr__(self, "pulse", pulse)
        object.__setattr__(self, "slots", Slots(self.settings.streams, self.settings.streams_each))

    def need_sky(self) -> Sky:
        """Give the sky, or answer that there is none."""
        if self.sky is None:
            raise HTTPException(404, "this portal shows no sky: telperion serve SKY does")
        return self.sky


def address_of(request: Request) -> str:
    """Give the address that a browser asked for, without the server's name."""
    return request.url.path + (f"?{request.url.query}" if request.url.query else "")
