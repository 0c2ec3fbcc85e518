"""Telperion: find out what a changing point in the sky is, at any phase, along a class tree."""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from telperion.classifier import Classifier, load
    from telperion.encode.view import keep_context, view
    from telperion.formats import read
    from telperion.lightcurves import LightCurves
    from telperion.taxonomy import Taxonomy

__version__ = "0.1.0"
__all__ = ["Classifier", "LightCurves", "Taxonomy", "keep_context", "load", "read", "view"]

_HOME = {
    "Classifier": "telperion.classifier",
    "LightCurves": "telperion.lightcurves",
    "Taxonomy": "telperion.taxonomy",
    "keep_context": "telperion.encode.view",
    "load": "telperion.classifier",
    "read": "telperion.formats",
    "view": "telperion.encode.view",
}


def __getattr__(name: str) -> object:
    """Import a public name when it is first asked for, so that ``import telperion`` itself costs next to nothing."""
    if name not in _HOME:
        raise AttributeError(f"module 'telperion' has no attribute {name!r}")
    return getattr(import_module(_HOME[name]), name)
