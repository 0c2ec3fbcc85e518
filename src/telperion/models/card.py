"""A model's card: the JSON beside its weights that says how it was built, along which tree and on which class mix."""

from __future__ import annotations

import json
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from telperion.taxonomy import Taxonomy

MAX_BYTES = 4_000_000

SHIPPED = Path(__file__).parents[1] / "shipped"
"""The classifiers that come with the package."""

Config = TypeVar("Config")


def write_card(
    path: str | Path, version: int, config: Any, tree: Taxonomy, mix: NDArray[np.float64], **more: Any
) -> None:
    """Write the card of a model, in a folder that is made where there is none.

    Parameters
    ----------
    path : path
    version : int
        Of the model's format.
    config : dataclass
    tree : Taxonomy
    mix : array, shape ``(n_leaves,)``
    **more
        What else the model needs to know of itself.
    """
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    document = {"format": version, "config": asdict(config), "nodes": list(tree.nodes), "mix": mix.tolist(), **more}
    Path(path).write_text(json.dumps(document, indent=1), encoding="utf-8")


def read_card(
    path: str | Path, version: int, kind: type[Config], tree: Taxonomy, more: tuple[str, ...] = ()
) -> tuple[Config, NDArray[np.float64], dict[str, Any]]:
    """Read what `write_card` wrote: the configuration, the class mix and the whole document.

    Parameters
    ----------
    path : path
    version : int
        The only one that is read.
    kind : type
        The configuration's dataclass.
    tree : Taxonomy
        Along which the model must have been trained.
    more : tuple of str
        What else the card must hold.

    Raises
    ------
    ValueError
        The file is missing, too large or not such a card, or of another format, tree or version's settings.
    """
    path = checked_file(path, MAX_BYTES)
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
        if document["format"] != version:
            raise ValueError(f"it has format {document['format']!r}, this version reads {version}")
        if document["nodes"] != list(tree.nodes):
            raise ValueError(f"the model was trained along another tree than {tree.name!r}")
        if unknown := set(document["config"]) - {field.name for field in fields(kind)}:  # type: ignore[arg-type]
            raise ValueError(f"it has a setting unknown to this version: {sorted(unknown)[0]!r}")
        if missing := set(more) - set(document):
            raise ValueError(f"it lacks {sorted(missing)[0]!r}")
        given = {key: tuple(value) if isinstance(value, list) else value for key, value in document["config"].items()}
        return kind(**given), tree.mix(document["mix"]), document
    except (KeyError, TypeError, AttributeError, RecursionError, ValueError) as error:  # JSON's own is a ValueError
        raise ValueError(f"{path} is not the card of a model: {error}") from error


def checked_file(path: str | Path, most_bytes: int) -> Path:
    """Give the path of a model's file; ValueError if it is missing or larger than a model of ours can have."""
    path = Path(path)
    if not path.is_file() or path.stat().st_size > most_bytes:
        raise ValueError(f"the model's file {path} is missing or larger than {most_bytes} bytes")
    return path
