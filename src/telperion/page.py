"""One folder and one HTML page that holds all it shows: figures drawn into files, tables, facts, strict JSON."""

from __future__ import annotations

import base64
import html
import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from telperion.style import DPI, render

if TYPE_CHECKING:
    from matplotlib.figure import Figure

FORMATS = ("png", "svg", "pdf")

CSS = """
:root { color-scheme: light; --ink: #22272e; --faint: #5b6570; --rule: #d5dae0; --shade: #f4f6f8; --blue: #0072b2; }
* { box-sizing: border-box; }
body { margin: 0 auto; padding: 2.5rem 1.5rem 5rem; max-width: 74rem; color: var(--ink); background: white;
       font: 16px/1.55 system-ui, -apple-system, "Segoe UI", Roboto, sans-serif; }
h1 { font-size: 1.9rem; line-height: 1.2; margin: 0 0 1rem; }
h2 { font-size: 1.35rem; margin: 3rem 0 .8rem; padding-top: .9rem; border-top: 2px solid var(--ink); }
h3 { font-size: 1.05rem; margin: 2rem 0 .6rem; }
dl { display: grid; grid-template-columns: max-content 1fr; gap: .25rem 1.2rem; margin: 0; }
dt { color: var(--faint); }
dd { margin: 0; }
code { font: .88em/1.5 ui-monospace, "SF Mono", Menlo, Consolas, monospace; background: var(--shade);
       padding: .1em .35em; border-radius: 3px; overflow-wrap: anywhere; }
details { margin-top: 1rem; }
summary { cursor: pointer; }
nav { margin: 1.2rem 0 0; padding: .5rem 0; background: white; position: sticky; top: 0; z-index: 1;
      font-size: .92rem; border-bottom: 1px solid var(--rule); }
nav a { color: var(--blue); margin-right: 1.2rem; text-decoration: none; white-space: nowrap; }
nav a:hover { text-decoration: underline; }
h2 { scroll-margin-top: 5rem; }
pre { font: .8rem/1.3 ui-monospace, "SF Mono", Menlo, Consolas, monospace; }
.cards { display: grid; grid-template-columns: repeat(auto-fit, minmax(10.5rem, 1fr)); gap: .8rem; margin: 1.2rem 0; }
.cards div { background: var(--shade); border-radius: 6px; padding: .8rem 1rem; border-left: 4px solid var(--blue); }
.cards b { display: block; font-size: 1.5rem; line-height: 1.2; }
.cards span { color: var(--faint); font-size: .84rem; display: block; line-height: 1.35; }
.beside { display: flex; flex-wrap: wrap; gap: 0 3rem; align-items: flex-start; }
p.note { color: var(--faint); max-width: 48rem; }
.scroll { overflow-x: auto; margin: 1rem 0 1.6rem; }
table { border-collapse: collapse; font-size: .86rem; font-variant-numeric: tabular-nums; }
caption { text-align: left; font-weight: 600; padding: .3rem 0; white-space: nowrap; }
th, td { padding: .22rem .5rem; text-align: right; white-space: nowrap; }
thead th { border-bottom: 1px solid var(--ink); font-weight: 600; vertical-align: bottom; }
th.group { text-align: center; border-bottom: 1px solid var(--rule); }
.word { text-align: left; }
tbody tr:hover { background: var(--shade); }
tr.rule td { border-top: 1px solid var(--rule); }
figure { margin: 1.2rem 0 1.8rem; }
figure img { max-width: 100%; height: auto; display: block; }
figcaption { color: var(--faint); font-size: .88rem; }
.pair { display: flex; flex-wrap: wrap; gap: 0 2rem; align-items: flex-end; }
@media screen and (min-width: 102rem) {
  nav { position: fixed; left: 1.5rem; top: 2.5rem; width: 11.5rem; border: 0; }
  nav a { display: block; margin: 0 0 .3rem; white-space: normal; }
  h2 { scroll-margin-top: 1rem; } }
@media print { body { max-width: none; padding: 0; font-size: 10pt; } nav { display: none; }
  h2 { break-after: avoid; } h2, figure, tr, .cards { break-inside: avoid; }
  .scroll { overflow: visible; } table { font-size: 6.6pt; } th, td { padding: .1rem .25rem; }
  .cards div { border: 1px solid var(--rule); } }
"""


@dataclass(frozen=True, eq=False)
class Picture:
    """A figure to be drawn: its name, a caption that can be understood alone, and how it is drawn."""

    name: str
    caption: str
    draw: Callable[[], Figure]


Parts = list[str | Picture]
"""What a section shows, in order: HTML, and figures yet to be drawn."""


class Album:
    """Draws figures into files and gives the HTML that shows them; without formats it draws nothing.

    Parameters
    ----------
    folder : path, optional
        Made where it is missing. Without one no file is written: the figures are in the HTML alone.
    formats : sequence of str
        Some of `FORMATS`.

    Raises
    ------
    ValueError
        A format is unknown.
    """

    def __init__(self, folder: Path | None, formats: Sequence[str]) -> None:
        if unknown := [kind for kind in formats if kind not in FORMATS]:
            there = ", ".join(FORMATS)
            raise ValueError(f"{len(unknown)} formats are unknown, first {unknown[0]!r}; there are {there}")
        self.folder, self.formats = folder, formats
        if folder:
            folder.mkdir(parents=True, exist_ok=True)

    def add(self, name: str, caption: str, draw: Callable[[], Figure]) -> str:
        """Draw a figure into a file of each format; give the HTML that shows it."""
        if not self.formats:
            return ""
        figure = draw()
        files = {kind: render(figure, kind) for kind in {"png", *self.formats}}
        if self.folder:
            for kind in self.formats:
                (self.folder / f"{slug(name)}.{kind}").write_bytes(files[kind])
        width = int.from_bytes(files["png"][16:20], "big") * 84 // DPI  # from the header; 84 CSS pixels an inch
        source, text = base64.b64encode(files["png"]).decode(), html.escape(caption)
        image = f'<img alt="{text}" width="{width}" src="data:image/png;base64,{source}">'
        return f"<figure>{image}<figcaption>{text}</figcaption></figure>"


def facts(about: Mapping[str, str]) -> str:
    """Give the HTML of a list of facts by name; the values are HTML."""
    return "<dl>" + "".join(f"<dt>{name}</dt><dd>{text}</dd>" for name, text in about.items()) + "</dl>"


def cards(figures: Mapping[str, str]) -> str:
    """Give the HTML of figures that matter at a glance: a large number over what it is."""
    shown = (
        f"<div><b>{html.escape(value)}</b><span>{html.escape(what)}</span></div>" for what, value in figures.items()
    )
    return f'<div class="cards">{"".join(shown)}</div>'


def heading(text: str) -> str:
    """Give the HTML of a heading inside a section."""
    return f"<h3>{html.escape(text[0].upper() + text[1:])}</h3>"


def page(title: str, top: Sequence[str], note: str, sections: Mapping[str, Sequence[str]]) -> str:
    """Give a page of HTML.

    Parameters
    ----------
    title : str
    top : sequence of str
        HTML that stands above the sections.
    note : str
        How to read the page.
    sections : mapping of str to sequence of str
        HTML by heading.
    """
    links = "".join(f'<a href="#{slug(name)}">{html.escape(name)}</a>' for name in sections)
    body = [f'<h2 id="{slug(name)}">{html.escape(name)}</h2>\n' + "\n".join(parts) for name, parts in sections.items()]
    head = (
        f'<meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>{html.escape(title)}</title>'
    )
    start = [f"<h1>{html.escape(title)}</h1>", *top, f"<nav>{links}</nav>", f'<p class="note">{note}</p>']
    return "\n".join(
        [
            f'<!doctype html>\n<html lang="en"><head>{head}<style>{CSS}</style></head><body>',
            *start,
            *body,
            "</body></html>\n",
        ]
    )


def slug(name: str) -> str:
    """Give a name as a file or an anchor has it."""
    return re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")


def write_json(path: str | Path, value: Any) -> None:
    """Write strict JSON: NaN and the infinities become null, and lists of numbers stand on one line.

    Parameters
    ----------
    path : path
    value : mapping, sequence, number or text
        Numpy numbers and arrays are written as plain ones.
    """
    Path(path).write_text(_json(value) + "\n", encoding="utf-8")


def _json(value: Any, indent: str = "") -> str:
    """Write strict JSON with a line for each entry of a mapping and each row of a table."""
    if isinstance(value, np.ndarray | np.generic):
        value = value.tolist()
    inner = indent + " "
    if isinstance(value, Mapping):
        lines = [
            f"{inner}{json.dumps(str(key), ensure_ascii=False)}: {_json(entry, inner)}" for key, entry in value.items()
        ]
        return "{\n" + ",\n".join(lines) + f"\n{indent}}}" if lines else "{}"
    if isinstance(value, list | tuple):
        entries = [_json(entry, inner) for entry in value]
        if any(isinstance(entry, Mapping | list | tuple) for entry in value):
            return f"[\n{inner}" + f",\n{inner}".join(entries) + f"\n{indent}]"
        return f"[{', '.join(entries)}]"
    if isinstance(value, float) and not np.isfinite(value):
        return "null"
    return json.dumps(value, ensure_ascii=False, allow_nan=False)
