"""How long ``import telperion`` takes: ``pytest benchmarks/test_import.py --benchmark-only``."""

import subprocess
import sys

import pytest


@pytest.mark.parametrize("code", ["pass", "import telperion"])
def test_a_fresh_interpreter(benchmark, code):
    benchmark.pedantic(subprocess.run, args=([sys.executable, "-c", code],), kwargs={"check": True}, rounds=9)
