"""The command `telperion export`."""

from __future__ import annotations

import argparse
from pathlib import Path

from rich.console import Console

import telperion


def add_export(parser: argparse.ArgumentParser) -> None:
    """Give the command its arguments."""
    parser.add_argument("model", help="a shipped classifier or a folder")
    parser.add_argument("-o", "--output", type=Path, required=True, help="the ONNX file to write")
    form = parser.add_mutually_exclusive_group()
    form.add_argument("--step", dest="form", action="store_const", const="step", help="reads one row, and a state")
    form.add_argument("--encoded", dest="form", action="store_const", const="encoded", help="reads encoded rows")
    weights = parser.add_mutually_exclusive_group()
    weights.add_argument("--half", dest="weights", action="store_const", const="float16", help="float16 weights")
    weights.add_argument("--int8", dest="weights", action="store_const", const="int8", help="8-bit weights")
    parser.set_defaults(command=_export, form="whole", weights="float32")


def _export(arguments: argparse.Namespace) -> None:
    try:
        from telperion.export.write import write
    except ModuleNotFoundError as error:
        if error.name != "onnx":
            raise
        raise ImportError("writing ONNX needs onnx, which comes with: pip install 'telperion[train]'") from error
    name, chosen = Path(arguments.model).name, {"form": arguments.form, "weights": arguments.weights}
    size = write(telperion.load(arguments.model), arguments.output, name=name, **chosen)
    Console().print(f"{arguments.output}: {size:,} bytes", highlight=False)
