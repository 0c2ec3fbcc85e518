"""What a release is made of: wheel and sdist, a clean environment, who is to be cited."""

import re
import sys
import tarfile
import tomllib
import zipfile
from pathlib import Path

import pytest

import telperion
from benchmarks.release import BOUNDS, FIRST, build, install_offline, seconds, sizes

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    pytest.importorskip("build", reason="building needs telperion[dev]")
    pytest.importorskip("hatchling", reason="building needs telperion[dev]")
    return build(tmp_path_factory.mktemp("wheel"))


def test_the_wheel_holds_the_package_and_nothing_else(wheel):
    names = set(zipfile.ZipFile(wheel).namelist())
    source = {
        path.relative_to(ROOT / "src").as_posix()
        for path in (ROOT / "src" / "telperion").rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    assert {name for name in names if name.startswith("telperion/")} == source
    assert "telperion/py.typed" in names
    others = {name for name in names if not name.startswith("telperion/")}
    assert all(name.startswith(f"telperion-{telperion.__version__}.dist-info/") for name in others)
    assert any(name.endswith("licenses/LICENSE") for name in others)
    assert wheel.stat().st_size < 25e6


def test_the_wheel_says_what_it_is(wheel):
    with zipfile.ZipFile(wheel) as archive:
        folder = f"telperion-{telperion.__version__}.dist-info"
        metadata = archive.read(f"{folder}/METADATA").decode()
        assert "telperion = telperion.cli:main" in archive.read(f"{folder}/entry_points.txt").decode()
    assert f"\nVersion: {telperion.__version__}\n" in metadata
    assert f"\nRequires-Python: {PROJECT['requires-python']}\n" in metadata
    core = [line for line in re.findall("^Requires-Dist: (.*)$", metadata, re.MULTILINE) if "extra ==" not in line]
    assert {re.match(r"[\w-]+", line)[0] for line in core} == {
        re.match(r"[\w-]+", line)[0] for line in PROJECT["dependencies"]
    }


def test_the_sdist_holds_what_builds_and_tests_it(tmp_path):
    pytest.importorskip("build", reason="building needs telperion[dev]")
    made = build(tmp_path, "sdist")
    with tarfile.open(made) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}
    wanted = ("pyproject.toml", "README.md", "LICENSE", "CITATION.cff", "CHANGELOG.md", "conftest.py", "scripts/check")
    wanted += ("docs/index.md", "docs/conf.py", "runs/elasticc.toml", "tests/conftest.py", "src/telperion/py.typed")
    assert set(wanted) <= names
    assert not [name for name in names if "__pycache__" in name or name.startswith((".venv", "out/", "data/"))]


@pytest.mark.timeout(600)  # seconds, but minutes on a machine with other work
def test_the_wheel_works_in_a_clean_environment(wheel, tmp_path):
    """The core alone, nothing else in sight: it is small, has no torch, and classifies."""
    own = install_offline(wheel, tmp_path / "clean")
    packages = sizes(own)
    assert sum(packages.values()) < BOUNDS["megabytes"]
    assert not packages.keys() & {"torch", "sklearn", "lightgbm", "numba", "matplotlib", "pandas"}
    seconds(own, FIRST, 1)  # raises where it does not run
    same = f"telperion.__version__ == {telperion.__version__!r}"
    seconds(own, f"import telperion, sys; assert sys.prefix in telperion.__file__ and {same}", 1)


def test_the_version_stands_in_one_place_and_the_citation_agrees():
    assert "version" in PROJECT["dynamic"]
    assert re.search(
        rf"^version: {re.escape(telperion.__version__)}$", (ROOT / "CITATION.cff").read_text(), re.MULTILINE
    )


def test_the_citation_has_what_its_format_asks_for():
    yaml = pytest.importorskip("yaml", reason="reading CITATION.cff needs PyYAML, of telperion[docs]")
    found = yaml.safe_load((ROOT / "CITATION.cff").read_text())
    known = {
        "cff-version",
        "message",
        "type",
        "title",
        "abstract",
        "authors",
        "version",
        "license",
        "keywords",
        "references",
    }
    known |= {"date-released", "doi", "repository-code", "url"}
    assert {"cff-version", "message", "title", "authors"} <= found.keys() <= known
    assert found["cff-version"] == "1.2.0"
    assert found["type"] == "software"
    assert found["license"] == PROJECT["license"]
    assert all(isinstance(found[name], str) and found[name] for name in ("message", "title", "version", "abstract"))
    for author in [*found["authors"], *(each for reference in found["references"] for each in reference["authors"])]:
        assert author.keys() in ({"name"}, {"family-names", "given-names"})
    for reference in found["references"]:
        assert {"type", "title", "authors"} <= reference.keys()


def test_the_interpreters_declared_are_those_from_the_oldest_on():
    lowest = re.fullmatch(r">=3\.(\d+)", PROJECT["requires-python"])[1]
    declared = [int(minor) for minor in re.findall(r"Python :: 3\.(\d+)'", str(PROJECT["classifiers"]))]
    assert declared == list(range(int(lowest), int(lowest) + len(declared)))
    assert sys.version_info[:2] >= (3, int(lowest))
