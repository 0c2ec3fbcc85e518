"""How the documentation is built: `sphinx-build -W docs build/docs`; nothing in it asks for anything from outside."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from docutils import nodes

if TYPE_CHECKING:
    from sphinx.application import Sphinx
    from sphinx.writers.html5 import HTML5Translator

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "src"))

from telperion import __version__  # noqa: E402 - the path comes first

project = "Telperion"
author = "The Telperion developers"
copyright = f"2026, {author}"  # noqa: A001 - as Sphinx calls it
release = version = __version__
language = "en"

extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon"]
myst_enable_extensions = ["dollarmath"]
myst_heading_anchors = 4
myst_dmath_double_inline = True
exclude_patterns = ["figures"]
default_role = "code"  # in docstrings `name` is a name, linked or not
suppress_warnings = ["misc.highlighting_failure"]

autodoc_typehints = "none"  # docstrings give shapes and units, which types do not
autodoc_member_order = "bysource"
autodoc_preserve_defaults = True
napoleon_google_docstring = False
napoleon_use_ivar = True
napoleon_use_rtype = False

html_theme = "furo"
html_static_path = ["site.css"]
html_css_files = ["site.css"]
html_title = f"Telperion {release}"
html_math_renderer = "mathml"
html_copy_source = False
html_show_sphinx = False


def _mathml(latex: str, display: str) -> str:
    """Write a formula as MathML, which browsers draw by themselves: no scripts, no fonts from anywhere."""
    from latex2mathml.converter import convert

    return convert(re.sub(r"\\operatorname\{(\w+)\}", r"\\mathrm{\1}", latex.strip()), display=display)


def _inline(writer: HTML5Translator, node: nodes.Element) -> None:
    writer.body.append(_mathml(node.astext(), "inline"))
    raise nodes.SkipNode


def _block(writer: HTML5Translator, node: nodes.Element) -> None:
    writer.body.append(f'<div class="math">{_mathml(node.astext(), "block")}</div>\n')
    raise nodes.SkipNode


def _leave_the_folder(_app: Sphinx, _name: str, source: list[str]) -> None:
    """Links out of docs/ lead to files of the repository, which the site does not hold: their text alone stays."""
    source[0] = re.sub(r"\[([^\]]+)\]\(\.\./[^)]*\)", r"\1", source[0])


def setup(app: Sphinx) -> dict[str, bool]:
    """Tell Sphinx of the formulae and of links to files beside docs/."""
    app.add_html_math_renderer("mathml", inline_renderers=(_inline, None), block_renderers=(_block, None))
    app.connect("source-read", _leave_the_folder)
    return {"parallel_read_safe": True}
