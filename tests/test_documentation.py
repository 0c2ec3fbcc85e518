"""Pages that stay true: commands that the command line understands, files that exist, a site without a warning."""

import argparse
import importlib.util
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

import telperion
from telperion.cards import cards_page
from telperion.cli import _parser
from telperion.run import Run

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted(DOCS.rglob("*.md"))]
NOTEBOOKS = sorted((DOCS / "notebooks").glob("*.md"))

pages = pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())


def commands(page: Path) -> list[str]:
    """Give what stands behind ``telperion`` in lines of blocks that call it, continued lines joined."""
    text = re.sub(r" *\\\n\s*", " ", page.read_text())
    blocks = re.findall(r"^```(?:sh|bash|console)\n(.*?)^```|((?:^ {4}\S.*\n)+)", text, re.MULTILINE | re.DOTALL)
    lines = [line.strip() for fenced, indented in blocks for line in (fenced or indented).splitlines()]
    calls = r"(?:\S*/)?(?:telperion|(?:torchrun|python) .*-m telperion|\./scripts/(demo))(?: (.*))?$"
    found = (re.match(calls, line) for line in lines)
    return [f"{match[1] or ''} {match[2] or ''}".strip() for match in found if match]


def words(command: str) -> list[str]:
    """Part a command as a shell does; comments, dots for "and so on", and what follows the command go."""
    parted = shlex.split(command, comments=True)
    ends = [place for place, word in enumerate(parted) if word in ("&", "|", "&&", ">")]
    return [word for word in parted[: ends[0] if ends else None] if word != "..."]


def subparsers() -> dict[str, argparse.ArgumentParser]:
    (chosen,) = (action for action in _parser()._actions if isinstance(action, argparse._SubParsersAction))
    return chosen.choices


def test_commands_are_found():
    assert {words(line)[0] for line in commands(ROOT / "README.md")} == set(subparsers())
    assert len(commands(DOCS / "results.md")) > 40


@pages
def test_every_command_is_understood_by_the_command_line(page, capsys):
    for command in commands(page):
        if "--help" in command or "--version" in command:
            continue
        try:
            _parser().parse_args(words(command))
        except SystemExit:
            pytest.fail(f"{page.name}: telperion {command}\n{capsys.readouterr().err}")


@pages
def test_commands_within_a_sentence_have_options_that_there_are(page):
    known = subparsers()
    for command in re.findall(r"`telperion ([^`]+)`", page.read_text()):
        name, *rest = words(command.replace("'", ""))
        assert name in known or name.startswith("-"), f"{page.name}: there is no telperion {name}"
        options = {word.partition("=")[0] for word in rest if word.startswith("--")}
        assert options <= set(known[name]._option_string_actions), f"{page.name}: telperion {command}"


@pages
def test_runs_and_scripts_that_are_named_exist(page):
    if page.name == "log.md":  # what was, not what is
        return
    named = re.findall(
        r"(?<![\w/.-])((?:runs|benchmarks|scripts|tests|docs)/[\w/.-]+\.(?:toml|py|md|png|sh))", page.read_text()
    )
    missing = [name for name in named if not (ROOT / name).is_file() and not re.search("[A-Z]{4}", name)]
    assert not missing, f"{page.name} names {missing[0]}"


@pages
def test_links_lead_somewhere(page):
    text = re.sub(r"```.*?```", "", page.read_text(), flags=re.DOTALL)
    for target in re.findall(r"\]\(\s*([^)\s]+)\s*\)", text):
        place, _, anchor = target.partition("#")
        if re.match(r"\w+:", place):
            continue
        file = page.parent / place if place else page
        assert file.exists(), f"{page.name} links to {place}"
        if anchor:
            headings = re.findall(r"^#+ (.*)$", file.read_text(), re.MULTILINE)
            slugs = {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}
            assert anchor in slugs, f"{page.name} links to {target}"


def test_runs_on_the_pages_of_training_are_runs():
    for block in re.findall(r"```toml\n(name.*?)```", (DOCS / "training.md").read_text(), re.DOTALL):
        if "[model]" in block:
            assert Run.from_dict(__import__("tomllib").loads(block)).name == "mine"


def test_the_page_of_cards_is_what_the_command_prints():
    assert (DOCS / "cards.md").read_text() == cards_page(), "telperion card > docs/cards.md"


@pytest.mark.parametrize("name", telperion.__all__)
def test_every_public_name_has_its_place_in_the_reference(name):
    found = getattr(telperion, name)
    here = f":: {found.__module__}.{found.__qualname__}\n"
    holds = f":: telperion.formats.{name}\n"  # what a package offers
    assert any(here in page.read_text() or holds in page.read_text() for page in (DOCS / "api").glob("*.md"))


@pytest.mark.parametrize("page", NOTEBOOKS, ids=lambda page: page.stem)
def test_notebooks_are_notebooks(page):
    jupytext = pytest.importorskip("jupytext", reason="the site needs telperion[docs]")
    notebook = jupytext.read(page)
    assert notebook.metadata["kernelspec"]["name"] == "python3"
    code = [cell.source for cell in notebook.cells if cell.cell_type == "code"]
    assert code == [block.strip() for block in re.findall(r"```python\n(.*?)```", page.read_text(), re.DOTALL)]
    assert jupytext.reads(jupytext.writes(notebook, fmt="ipynb"), fmt="ipynb").cells


@pytest.mark.timeout(300)
def test_the_site_is_built_without_a_warning_and_asks_for_nothing_from_outside(tmp_path):
    for package in ("sphinx", "myst_parser", "furo", "latex2mathml"):
        if not importlib.util.find_spec(package):
            pytest.skip(f"the site needs telperion[docs]: {package} is missing")
    command = [sys.executable, "-m", "sphinx", "-W", "--keep-going", "-q", "-b", "html", DOCS, tmp_path]
    done = subprocess.run([str(part) for part in command], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    built = [page.relative_to(tmp_path).with_suffix(".md") for page in tmp_path.rglob("*.html")]
    assert {page.relative_to(DOCS) for page in DOCS.rglob("*.md")} <= set(built)
    for page in tmp_path.rglob("*.html"):
        text = page.read_text()
        outside = re.findall(r"<(?:script|link|img|iframe)\b[^>]*(?:src|href)=\"(?:https?:)?//[^\"]+\"", text)
        assert not outside, f"{page.name} asks for {outside[0]}"
    science = (tmp_path / "science.html").read_text()
    assert science.count("<math ") > 50
    assert "\\frac" not in science  # every formula became MathML


def test_a_wrong_output_on_a_page_is_found(tmp_path):
    """The check of outputs can fail: what a block printed is held against the page."""
    (tmp_path / "conftest.py").write_text((ROOT / "conftest.py").read_text())
    (tmp_path / "page.md").write_text(
        "```python\nprint(1 + 1)\n```\n\n```output\n3\n```\n\n```python\nprint('a b')\n```\n\n```output\na ...\n```\n"
    )
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "page.md"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert "1 failed, 3 passed" in done.stdout
    assert "but what is printed is" in done.stdout
