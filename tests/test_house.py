"""The promises that no single module can keep: floors, a light import, a true README."""

import ast
import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

import telperion

ROOT = Path(__file__).parents[1]
SOURCE = ROOT / "src" / "telperion"
HEAVY = {"torch", "tensorflow", "pandas", "polars", "sklearn", "lightgbm", "light_curve", "matplotlib", "astropy"}


def fresh_python(code: str) -> str:
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return done.stdout


def test_imports_point_down_the_floors_only():
    command = Path(sys.executable).with_name("lint-imports")
    done = subprocess.run([command, "--no-cache"], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("names", [[], telperion.__all__], ids=["package", "public-names"])
def test_importing_brings_no_heavy_package(names):
    code = f"import sys, telperion; [getattr(telperion, name) for name in {names}]; print(*sys.modules)"
    assert HEAVY.isdisjoint(fresh_python(code).split())


def test_every_public_name_is_there_and_unknown_ones_are_not():
    for name in telperion.__all__:
        assert getattr(telperion, name).__doc__
    with pytest.raises(AttributeError, match="no attribute 'Klassifier'"):
        _ = telperion.Klassifier


def test_the_changelog_knows_the_version():
    assert re.search(rf"^## {re.escape(telperion.__version__)}\b", (ROOT / "CHANGELOG.md").read_text(), re.MULTILINE)


def mapped_files() -> list[str]:
    """Read the file map of the README: two spaces a folder, then one name and one remark a line."""
    block = re.search(r"```text\nsrc/telperion/\s.*?\n(.*?)```", (ROOT / "README.md").read_text(), re.DOTALL)
    assert block, "the README has no file map"
    files, folders = [], []
    for line in block[1].splitlines():
        indent, name, remark = re.fullmatch(r"( +)(\S+) +(\S.*)", line).groups()
        assert remark
        folders = [*folders[: len(indent) // 2 - 1], name]
        files.append("".join(folders))
    return files


def test_the_file_map_of_the_readme_is_true():
    """Modules, trees and shipped classifiers; a folder's line speaks for its ``__init__``."""
    modules = [path for path in SOURCE.rglob("*.py") if path.name != "__init__.py"]
    folders = [path.parent for path in SOURCE.rglob("__init__.py") if path.parent != SOURCE]
    data = [SOURCE / "trees", *SOURCE.glob("trees/*.toml"), *SOURCE.glob("shipped"), *SOURCE.glob("shipped/*/")]
    names = {
        f"{path.relative_to(SOURCE).as_posix()}{'/' if path.is_dir() else ''}" for path in modules + folders + data
    }
    listed = mapped_files()
    assert len(listed) == len(set(listed))
    assert set(listed) == names


def test_the_floors_in_the_readme_are_those_that_are_kept():
    contract = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"][0]
    block = re.search(r"\n\n(( {4}.+\n)+)", (ROOT / "README.md").read_text())[1]
    assert [line.strip() for line in block.splitlines()] == contract["layers"]


def test_the_two_commands_of_the_readme_exist():
    readme = (ROOT / "README.md").read_text()
    for script in ("scripts/demo", "scripts/test"):
        assert f"./{script}" in readme
        assert os.access(ROOT / script, os.X_OK)


def requirements(*extras: str) -> set[str]:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    lines = [*project["dependencies"], *(line for extra in extras for line in project["optional-dependencies"][extra])]
    return {re.match(r"[\w-]+", line)[0] for line in lines}


def test_the_core_install_stays_light():
    assert requirements() == {"astropy", "numpy", "onnxruntime", "pyarrow", "rich", "tomli-w"}


def test_what_is_required_is_what_is_imported():
    imported = set()
    for path in SOURCE.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            names += [node.module] if isinstance(node, ast.ImportFrom) and node.level == 0 else []
            imported |= {name.split(".")[0] for name in names}
    packages = imported - set(sys.stdlib_module_names) - {"telperion"}
    names = {"sklearn": "scikit-learn", "upath": "universal-pathlib"}
    assert {names.get(name, name.replace("_", "-")) for name in packages} == requirements(
        "train", "boost", "plots", "rocket", "stream", "tune", "brokers", "web", "scale"
    )


def test_every_module_says_what_it_is_for():
    silent = [path for path in SOURCE.rglob("*.py") if not ast.get_docstring(ast.parse(path.read_text()))]
    assert not silent, f"no docstring in {silent[0]}"
