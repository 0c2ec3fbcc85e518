"""Boosters of LightGBM as files: compressed text, nothing in it executed when it is read."""

from __future__ import annotations

import gzip
import os
from pathlib import Path
from typing import Any

import lightgbm

MAX_FILE_BYTES, MAX_TEXT_BYTES = 32_000_000, 400_000_000


def write_booster(path: Path, booster: Any) -> None:
    """Write a booster, up to its best round if it knows one, with one move at the end: no half file is ever read."""
    unfinished = path.with_suffix(".part")
    with gzip.GzipFile(unfinished, "wb", mtime=0) as file:
        file.write(booster.model_to_string(num_iteration=booster.best_iteration, importance_type="gain").encode())
    os.replace(unfinished, path)


def read_booster(path: Path) -> Any:
    """Read a booster, its size checked before and while it is unpacked.

    Raises
    ------
    ValueError
        The file is missing, too large, or no compressed LightGBM model.
    """
    if not path.is_file() or path.stat().st_size > MAX_FILE_BYTES:
        raise ValueError(f"{path} is missing or larger than {MAX_FILE_BYTES} bytes")
    try:
        with gzip.open(path, "rb") as file:
            text = file.read(MAX_TEXT_BYTES + 1)
    except (OSError, EOFError) as error:
        raise ValueError(f"{path} is not a compressed LightGBM model: {error}") from error
    if len(text) > MAX_TEXT_BYTES or not text.startswith(b"tree\n"):
        raise ValueError(f"{path} is not a LightGBM model, or larger than {MAX_TEXT_BYTES} bytes unpacked")
    return lightgbm.Booster(model_str=text.decode())
