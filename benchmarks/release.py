"""What a release is worth to a newcomer: size, import, first classification, in a clean environment of its own.

    python -m benchmarks.release [--python PYTHON ...] [--wheel WHEEL]

builds the wheel (or takes one), makes a fresh environment with each interpreter, installs the wheel and what the core
needs from the package index, and prints a table. Bounds: 500 MB, .3 s and 2 s.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
import tomllib
from dataclasses import dataclass
from importlib.metadata import Distribution, distribution
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[1]
BOUNDS = {"megabytes": 500.0, "import_seconds": 0.3, "first_seconds": 2.0}
TOOLS = ("pip", "setuptools", "wheel", "_distutils_hack")
"""What a fresh environment has before anything is installed."""

FIRST = """
import telperion
from telperion import LightCurves

curves = LightCurves.from_rows(
    ["a"] * 4, [60300.0, 60300.1, 60303.0, 60306.0], [1, 2, 1, 2], [900, 950, 1800, 2100], [90] * 4, [True] * 4,
    context={"mwebv": [0.05]},
)
classifier = telperion.load("elasticc")
probabilities = classifier.predict(curves)
assert abs(float(probabilities[0, classifier.tree.leaves].sum()) - 1) < 1e-5
"""


@dataclass(frozen=True)
class Measured:
    """One interpreter's clean environment.

    Parameters
    ----------
    python : str
        Version.
    install_seconds : float, s
        Of pip, downloads included.
    megabytes : float, MB
        Of site-packages without pip and its like, as files are long.
    largest : list of (str, float)
        The five largest packages, MB.
    import_seconds : float, s
        ``import telperion`` over an empty interpreter, medians of processes.
    first_seconds : float, s
        A process from its start to its first classified light curve, and to its end; the median.
    coldest_seconds : float, s
        The first of those, right after the installation.
    """

    python: str
    install_seconds: float
    megabytes: float
    largest: list[tuple[str, float]]
    import_seconds: float
    first_seconds: float
    coldest_seconds: float


def build(folder: Path, kind: str = "wheel", source: Path = ROOT) -> Path:
    """Build a wheel or an sdist with what is installed here; gives the file."""
    command = [sys.executable, "-m", "build", f"--{kind}", "--no-isolation", "--outdir", folder, source]
    subprocess.run([str(word) for word in command], check=True, capture_output=True, text=True)
    (made,) = folder.glob("*.whl" if kind == "wheel" else "*.tar.gz")
    return made


def install(wheel: Path, folder: Path, python: str = sys.executable) -> Path:
    """Make an environment that sees no other, and install a wheel there with what it needs; gives its interpreter."""
    subprocess.run([python, "-m", "venv", str(folder)], check=True, capture_output=True)
    own = folder / "bin" / "python"
    command = [str(own), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", str(wheel)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(done.stderr[-2000:])
    return own


def install_offline(wheel: Path, folder: Path) -> Path:
    """As `install`, without a package index: what the wheel needs, and nothing else, is taken from this environment.

    Files of the distributions that the core requires, and those that these require, are linked (or copied) into the new
    environment, which sees no other; pip then checks that nothing is missing.
    """
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(folder)], check=True, capture_output=True)
    own = folder / "bin" / "python"
    place = _purelib(own)
    needed = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["dependencies"]
    for found in _closure(needed):
        for file in found.files or ():
            if ".." in file.parts:
                continue  # scripts, and what else lies outside of site-packages
            target = place / file
            target.parent.mkdir(parents=True, exist_ok=True)
            source = found.locate_file(file)
            if source.is_file() and not target.exists():
                try:
                    os.link(source, target)
                except OSError:  # another disk
                    shutil.copy2(source, target)
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--python", str(own)]
    for command in (["install", "--quiet", "--no-deps", "--no-index", str(wheel)], ["check"]):
        done = subprocess.run([*pip, *command], capture_output=True, text=True, check=False)
        if done.returncode:
            raise RuntimeError(done.stdout + done.stderr[-2000:])
    return own


def _closure(lines: list[str]) -> list[Distribution]:
    """Give the installed distributions that requirements name, and those that these need."""
    found: dict[str, Distribution] = {}
    waiting = list(lines)
    while waiting:
        wanted = Requirement(waiting.pop())
        name = canonicalize_name(wanted.name)
        if name in found or (wanted.marker and not wanted.marker.evaluate({"extra": ""})):
            continue
        found[name] = distribution(wanted.name)
        waiting += found[name].requires or []
    return list(found.values())


def _purelib(python: Path) -> Path:
    code = "import sysconfig; print(sysconfig.get_path('purelib'))"
    return Path(subprocess.run([python, "-c", code], check=True, capture_output=True, text=True).stdout.strip())


def sizes(python: Path) -> dict[str, float]:
    """Give what each entry of an environment's site-packages takes, MB, the largest first; tools left out."""
    place = _purelib(python)
    found = {
        entry.name: sum(path.stat().st_size for path in (entry, *entry.rglob("*")) if path.is_file()) / 1e6
        for entry in place.iterdir()
        if not entry.name.startswith(TOOLS)
    }
    return dict(sorted(found.items(), key=lambda pair: -pair[1]))


def seconds(python: Path, code: str, repeats: int) -> list[float]:
    """Time fresh processes that run some code; the working directory is elsewhere, so that the wheel is imported."""
    taken = []
    with tempfile.TemporaryDirectory() as elsewhere:
        for _ in range(repeats):
            started = time.perf_counter()
            subprocess.run([python, "-c", code], check=True, cwd=elsewhere, capture_output=True)
            taken.append(time.perf_counter() - started)
    return taken


def measure(wheel: Path, folder: Path, python: str = sys.executable, *, repeats: int = 7) -> Measured:
    """Install and measure."""
    started = time.perf_counter()
    own = install(wheel, folder, python)
    taken = time.perf_counter() - started
    first = seconds(own, FIRST, repeats)
    empty, imported = (statistics.median(seconds(own, code, repeats)) for code in ("pass", "import telperion"))
    packages = sizes(own)
    version = subprocess.run([own, "-V"], check=True, capture_output=True, text=True).stdout.split()[1]
    return Measured(
        version, taken, sum(packages.values()), list(packages.items())[:5], imported - empty,
        statistics.median(first), first[0],
    )  # fmt: skip


def show(found: list[Measured]) -> None:
    """Print a Markdown table."""
    heads = ("Python", "installation", "size", "`import telperion`", "first light curve", "the very first")
    print(f"| {' | '.join(heads)} |\n|---|--:|--:|--:|--:|--:|")
    for each in found:
        print(
            f"| {each.python} | {each.install_seconds:.0f} s | {each.megabytes:.0f} MB | {each.import_seconds:.3f} s "
            f"| {each.first_seconds:.2f} s | {each.coldest_seconds:.2f} s |"
        )
    print(
        f"| bound | | {BOUNDS['megabytes']:g} MB | {BOUNDS['import_seconds']:g} s | {BOUNDS['first_seconds']:g} s | |"
    )
    print("\nLargest:", ", ".join(f"{name} {size:.0f} MB" for name, size in found[0].largest))


def main() -> int:
    """Run it; status 1 if a bound is missed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--python", nargs="+", default=[sys.executable], help="interpreters")
    parser.add_argument("--wheel", type=Path, help="in place of the one that is built here")
    parser.add_argument("--json", type=Path, help="file to write the figures to")
    arguments = parser.parse_args()
    top = Path(tempfile.mkdtemp())
    try:
        wheel = arguments.wheel or build(top / "dist")
        print(f"{wheel.name}: {wheel.stat().st_size / 1e6:.1f} MB\n")
        found = [measure(wheel, top / str(place), python) for place, python in enumerate(arguments.python)]
    finally:
        shutil.rmtree(top)
    show(found)
    if arguments.json:
        arguments.json.write_text(json.dumps([vars(each) for each in found], indent=1) + "\n")
    return int(any(getattr(each, name) > bound for each in found for name, bound in BOUNDS.items()))


if __name__ == "__main__":
    sys.exit(main())
