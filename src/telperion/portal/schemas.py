"""What the API answers, as types: they check what goes out and make the OpenAPI description."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

Probability = Annotated[float, Field(ge=0, le=1.0001)]
Sort = Literal["follow-up", "newest", "surest", "rarest"]
Unit = Literal["njy", "ujy", "fluxcal"]


class _Answer(BaseModel):
    model_config = ConfigDict(extra="forbid", ser_json_inf_nan="null")


class Fault(_Answer):
    """What is wrong with an upload, and where."""

    line: int = Field(description="line of the file, from 1; 0: the file as a whole")
    column: str
    what: str


class Problem(_Answer):
    """What is wrong with a request."""

    detail: str
    faults: list[Fault] = Field(default=[], description="the first of them, where an upload is at fault")
    count: int = Field(default=0, description="all faults")


class Node(_Answer):
    """A node of the class tree."""

    name: str
    parent: str | None = Field(description="null: the root")
    depth: int
    leaf: bool


class About(_Answer):
    """What the portal shows."""

    telperion: str = Field(description="version of the software")
    sky: bool = Field(description="whether there is a sky at all; without one, only classify answers")
    classifier: str
    classifier_version: str = Field(description="fingerprint of the classifier's files")
    level: float | None = Field(description="share of answers for which what is promised is right; null: no promise")
    objects: int = Field(description="objects of the sky, up to 10,000")
    version: int = Field(description="grows with every write: what `changes` counts by")
    nodes: list[Node]


class Brief(_Answer):
    """One object, in brief."""

    object_id: str
    ra: float | None = Field(description="degrees")
    decl: float | None = Field(description="degrees")
    alert_time: float | None = Field(description="of the latest alert, MJD (TAI)")
    days: float | None = Field(description="from the first detection to the latest row")
    n_rows: int
    magnitude: float | None = Field(description="AB, of the latest detection")
    band: str
    leaf: str = Field(description="the class decided for")
    leaf_probability: Probability
    promised: str = Field(description="the deepest node promised; the root promises nothing")
    promised_probability: Probability
    score: float | None = Field(description="what following it up would be worth; only its order means something")
    probabilities: dict[str, Probability] = Field(description="of every node")


class Page(_Answer):
    """Objects in an order."""

    objects: list[Brief]
    next: str | None = Field(description="give it as `after` for what follows; null: there is no more")
    count: int = Field(description="objects that are wanted, up to 10,000")
    version: int


class LightCurve(_Answer):
    """The rows of a light curve, each a list."""

    time: list[float] = Field(description="MJD (TAI)")
    band: list[str]
    flux: list[float] = Field(description="of the difference image, nJy")
    flux_err: list[float]
    detected: list[bool]


class Said(_Answer):
    """What was said of an object at one moment."""

    time: float | None = Field(description="of the observation that it followed, MJD (TAI)")
    days: float | None = Field(description="after the first detection")
    n_rows: int
    leaf: str
    promised: str
    probabilities: dict[str, Probability]


class Object(_Answer):
    """One object with all that is known of it."""

    object_id: str
    classifier: str
    classifier_version: str
    level: float | None
    first_detection: float | None = Field(description="MJD (TAI)")
    context: dict[str, float] = Field(description="what is known beside the light curve")
    context_kind: str = Field(description="specz, photoz or none")
    light_curve: LightCurve
    answers: list[Said] = Field(description="in order of time")


class Likeness(_Answer):
    """A class that an object looks like."""

    name: str
    distance: float = Field(description="in standard deviations of its known objects; about 1 for its own")


class KnownObject(_Answer):
    """A known object that an object looks like; times are days after its first detection."""

    object_id: str
    label: str
    redshift: float | None
    distance: float = Field(description="in units of the scatter that all classes share")
    light_curve: LightCurve


class Looks(_Answer):
    """What an object looks like, in the latent space of the classifier."""

    classes: list[Likeness] = Field(description="nearest first")
    objects: list[KnownObject] = Field(description="nearest first")
    strangeness: float = Field(description="share of known objects of that phase that look less strange")
    days: float = Field(description="after the first detection, up to which it is known")


class Changes(_Answer):
    """Which objects were answered after some version."""

    version: int = Field(description="up to which this tells: ask on from here")
    object_ids: list[str]


class Classified(_Answer):
    """Answers to an upload."""

    objects: list[Object]
