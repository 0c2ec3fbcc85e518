"""The folder that a classifier is saved in: plain files, each held against its hash before anything is read."""

from __future__ import annotations

import hashlib
import json
import platform
import tomllib
from collections.abc import Mapping
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, get_args

import tomli_w

from telperion.aliens.strangeness import FILE as ALIENS
from telperion.aliens.strangeness import Aliens
from telperion.calibrate import Calibration
from telperion.encode.view import Context
from telperion.models import Model
from telperion.models.card import SHIPPED
from telperion.phases import ANY
from telperion.promise import Promise
from telperion.taxonomy import Taxonomy

FORMAT = 1
MAX_BYTES = 256 * 2**20
"""A file of a model folder may not be larger: it is read whole."""

CARD = "classifier.json"
CALIBRATION = "calibration.json"
CALIBRATION_FORMAT = 1
MAX_CALIBRATION_BYTES = 16 * 2**20


class ModelFolderError(ValueError):
    """A model folder has a missing, altered or foreign file, or is not one at all."""


def versions() -> dict[str, str]:
    """Give the versions of what a saved classifier was made with."""
    found = {"python": platform.python_version()}
    for package in ("telperion", "numpy", "onnxruntime", "torch", "lightgbm"):
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found


def files(folder: Path) -> list[str]:
    """List the files of a folder, all but the card."""
    found = (path for path in folder.rglob("*") if path.is_file() or path.is_symlink())
    return sorted(path.relative_to(folder).as_posix() for path in found if path.name != CARD)


def digest(path: Path) -> str:
    """Give the SHA-256 of a file."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


def fingerprint(document: Mapping[str, Any]) -> str:
    """Give twelve hexadecimal digits that tell a card from others by its files' hashes and its decision rule."""
    decisive = {name: document.get(name) for name in ("files", "kind", "view", "power", "mix")}
    return hashlib.sha256(json.dumps(decisive, sort_keys=True).encode()).hexdigest()[:12]


def write_calibration(folder: Path, calibration: Calibration | None, promise: Promise | None) -> None:
    """Write calibration and promise, as far as there are any."""
    parts = {"calibration": calibration, "promise": promise}
    if tables := {name: part.to_dict() for name, part in parts.items() if part is not None}:
        text = json.dumps({"format": CALIBRATION_FORMAT, **tables}, indent=1, allow_nan=False, ensure_ascii=False)
        (folder / CALIBRATION).write_text(text + "\n", encoding="utf-8")


def read_calibration(folder: Path, tree: Taxonomy) -> dict[str, Any]:
    """Read calibration and promise, as far as a folder has any.

    Raises
    ------
    ModelFolderError
        The file is too large, of another version or tree, or a number in it cannot be.
    """
    path = folder / CALIBRATION
    if not path.is_file():
        return {}
    try:
        if path.stat().st_size > MAX_CALIBRATION_BYTES:
            raise ValueError(f"it is larger than {MAX_CALIBRATION_BYTES} bytes")
        document = json.loads(path.read_text(encoding="utf-8"))
        if document.get("format") != CALIBRATION_FORMAT:
            raise ValueError(f"it has format {document.get('format')!r}, this version reads {CALIBRATION_FORMAT}")
        kinds: dict[str, Any] = {"calibration": Calibration, "promise": Promise}
        if unknown := sorted(document.keys() - kinds.keys() - {"format"}):
            raise ValueError(f"it has an entry unknown to this version: {unknown[0]!r}")
        found = {name: kind.from_dict(document[name], tree) for name, kind in kinds.items() if name in document}
        contexts = found["promise"].contexts if "promise" in found else (ANY,)
        if len(contexts) > 1 and (missing := set(get_args(Context)) - set(contexts)):
            raise ValueError(f"it promises nothing for {len(missing)} kinds of context, first {sorted(missing)[0]!r}")
        return found
    except (ValueError, TypeError, AttributeError, RecursionError) as error:
        raise ModelFolderError(f"{path} is no calibration: {error}") from error


def read_aliens(folder: Path) -> dict[str, Any]:
    """Read the score of strangeness, if a folder has one.

    Raises
    ------
    ModelFolderError
        The file is no such score.
    """
    try:
        return {"aliens": Aliens.load(folder)} if (folder / ALIENS).exists() else {}
    except ValueError as error:
        raise ModelFolderError(str(error)) from error


def write(
    folder: Path, model: Model, run: Mapping[str, Any], parts: Mapping[str, Any], about: Mapping[str, Any]
) -> None:
    """Write a classifier's folder: model, tree, run, what else it has, and the card with the hash of each file.

    Raises
    ------
    FileExistsError
        The folder exists and is not empty.
    """
    if folder.exists() and any(folder.iterdir()):
        raise FileExistsError(f"{folder} exists and is not empty")
    (folder / "model").mkdir(parents=True, exist_ok=True)
    model.save(folder / "model")
    (folder / "tree.toml").write_text(tomli_w.dumps(model.tree.to_dict()), encoding="utf-8")
    (folder / "run.toml").write_text(tomli_w.dumps(dict(run)), encoding="utf-8")
    write_calibration(folder, parts["calibration"], parts["promise"])
    if parts["aliens"] is not None:
        parts["aliens"].save(folder)
    hashes = {name: digest(folder / name) for name in files(folder)}
    document = {"format": FORMAT, **about, "versions": versions(), "files": hashes}
    text = json.dumps(document, indent=2, allow_nan=False, ensure_ascii=False)
    (folder / CARD).write_text(text + "\n", encoding="utf-8")


def replace_card(folder: Path, card: Mapping[str, Any]) -> None:
    """Put other figures on a classifier's card; weights, decision rule and fingerprint stay what they are.

    Raises
    ------
    ModelFolderError
        The folder is not a classifier's, or a file is missing, altered, foreign or too large.
    """
    document = read_card(folder) | {"card": dict(card)}
    text = json.dumps(document, indent=2, allow_nan=False, ensure_ascii=False)
    part = folder.with_name(folder.name + ".card")  # beside the folder: in it, a foreign file would be refused
    part.write_text(text + "\n", encoding="utf-8")
    part.replace(folder / CARD)


def disk_bytes(folder: Path) -> int:
    """Give the size of all files of a classifier's folder."""
    return sum((folder / name).stat().st_size for name in (CARD, *files(folder)))


def read(folder: Path) -> tuple[dict[str, Any], Taxonomy, dict[str, Any], dict[str, Any]]:
    """Read the card, the tree, the run, and calibration, promise and aliens, as far as a folder has any.

    Raises
    ------
    ModelFolderError
        The folder is not a classifier's, or a file is missing, altered, foreign or too large.
    """
    document = read_card(folder)
    tree = Taxonomy.from_dict(tomllib.loads((folder / "tree.toml").read_text(encoding="utf-8")))
    run = tomllib.loads((folder / "run.toml").read_text(encoding="utf-8"))
    return document, tree, run, read_calibration(folder, tree) | read_aliens(folder)


def shipped_names() -> list[str]:
    """Name the classifiers that come with the package."""
    return sorted(path.parent.name for path in SHIPPED.glob(f"*/{CARD}"))


def folder_of(name: str | Path) -> Path:
    """Give the folder of a shipped classifier, or that which is given.

    Raises
    ------
    FileNotFoundError
        There is neither.
    """
    shipped = SHIPPED / str(name)
    if not Path(name).is_dir() and not shipped.is_dir():
        known = ", ".join(shipped_names()) or "none"
        raise FileNotFoundError(f"no classifier {str(name)!r}: give a folder, or one of those shipped: {known}")
    return shipped if shipped.is_dir() else Path(name)


def read_card(folder: Path) -> dict[str, Any]:
    """Read ``classifier.json`` and hold the folder against it.

    Raises
    ------
    ModelFolderError
        The folder is not a classifier's, or a file is missing, altered, foreign or too large.
    """
    card = folder / CARD
    if not card.is_file():
        raise ModelFolderError(f"{folder} is no classifier: it has no classifier.json")
    for path in (card, *(folder / name for name in files(folder))):
        if path.is_symlink() or path.stat().st_size > MAX_BYTES:
            raise ModelFolderError(f"{path} is a link or larger than {MAX_BYTES} bytes")
    try:
        document = json.loads(card.read_text(encoding="utf-8"))
        listed: dict[str, str] = dict(document["files"])
    except (ValueError, KeyError, TypeError) as error:
        raise ModelFolderError(f"{card} is not a classifier's: {error}") from error
    if document.get("format") != FORMAT:
        raise ModelFolderError(f"{card} has format {document.get('format')!r}, this version reads {FORMAT}")
    present = set(files(folder))
    if missing := sorted(set(listed) - present):
        raise ModelFolderError(f"{folder} lacks {len(missing)} files, first {missing[0]!r}")
    if foreign := sorted(present - set(listed)):
        raise ModelFolderError(f"{folder} holds {len(foreign)} foreign files, first {foreign[0]!r}")
    if altered := [name for name, expected in sorted(listed.items()) if digest(folder / name) != expected]:
        raise ModelFolderError(f"{folder} has {len(altered)} altered files, first {altered[0]!r}")
    return document
