"""The demonstration in the browser: a night that comes in slowly, into a sky that the portal shows."""

import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.request
from itertools import pairwise
from pathlib import Path

import pytest

from telperion.cli import main
from telperion.demo import web
from telperion.demo.night import Folders, first_packet, make_night
from telperion.demo.web import Paced, feed
from telperion.formats.packets import read_alerts
from telperion.serve.sky import Sky, Wanted

WAIT = 100.0


def test_visits_come_no_faster_than_so():
    said, meanwhile, times = iter([False, False, False, True]), [], []
    paced = Paced(lambda: next(said), 0.05, lambda: meanwhile.append(len(times)))
    while not paced():
        times.append(time.monotonic())
    assert meanwhile == [0, 1, 2, 3]
    assert all(later - earlier >= 0.05 for earlier, later in pairwise(times))


def test_a_night_ends_in_a_sky_of_all_its_objects_in_the_order_of_follow_up(few, tmp_path, monkeypatch):
    monkeypatch.setattr(web, "_SCORES", -1.0)  # scored before there is an answer, as where that takes long
    folders = Folders(tmp_path)
    folders.claim()
    night = make_night(folders, few, 1)
    before = signal.getsignal(signal.SIGINT)
    try:
        feed(tmp_path, "elasticc", first_packet(night), 0.0)
    finally:
        signal.signal(signal.SIGINT, before)
    schemas = {int.from_bytes(first_packet(night)[1:5], "big"): night.packing.schema}
    alerts, sky = read_alerts(folders.alerts, schemas), Sky(folders.sky)
    assert sky.count(Wanted()) == len(set(alerts.object_id))
    listed = sky.objects(Wanted(), limit=1000)
    assert sum(len(sky.object(each.object_id).answers) for each in listed) == len(alerts)
    assert max(each.score for each in listed) == listed[0].score > 0


def test_a_port_that_is_taken_is_refused_before_anything_is_simulated(tmp_path, capsys):
    pytest.importorskip("uvicorn", reason="the portal needs telperion[web]")
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        assert main(["demo", "--web", "--port", str(port), "--keep", str(tmp_path / "kept")]) == 2
    assert "cannot be used" in capsys.readouterr().err
    assert not (tmp_path / "kept").exists()


def test_light_curves_of_ones_own_are_for_another_command(tmp_path, capsys):
    assert main(["demo", str(tmp_path), "--web"]) == 2
    assert "telperion serve" in capsys.readouterr().err


@pytest.mark.timeout(300)
@pytest.mark.skipif(not os.path.isdir("/proc/self/task"), reason="children are found in /proc")
def test_the_browser_is_told_of_each_visit_until_ctrl_c(tmp_path):
    pytest.importorskip("uvicorn", reason="the portal needs telperion[web]")
    code = "import sys; from telperion.cli import main; sys.exit(main())"
    command = [
        "demo",
        "--web",
        "-n",
        "38",
        "--seed",
        "2",
        "--port",
        "0",
        "--pause",
        "0.2",
        "-k",
        str(tmp_path / "kept"),
    ]
    process = subprocess.Popen(
        [sys.executable, "-u", "-c", code, *command], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    guard = threading.Timer(200, process.kill)
    guard.start()
    try:
        lines = []
        for line in process.stdout:
            lines.append(line)
            if "shows it live" in line:
                break
        assert lines, process.stderr.read()
        address = lines[-1].split()[0]
        sky, seen, end = Sky(tmp_path / "kept" / "sky"), set(), time.monotonic() + WAIT
        while len(seen) < 3:
            assert time.monotonic() < end
            seen.add(sky.version_now())
            time.sleep(0.05)
        with urllib.request.urlopen(f"{address}/api/v1/objects") as answer:
            found = json.load(answer)
        assert found["objects"]
        children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
        assert children
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=60)
    finally:
        guard.cancel()
        process.kill()
        process.communicate()
    assert process.returncode == 130
    assert "stopped" in errors
    assert "Traceback" not in errors
    end = time.monotonic() + 20
    while any(is_running(pid) for pid in children):
        assert time.monotonic() < end, "the stream runs on"
        time.sleep(0.1)


@pytest.mark.parametrize("before", ["SIG_DFL", "SIG_IGN"])
def test_ctrl_c_ends_a_portal_with_130_even_in_the_background_of_a_script(before):
    pytest.importorskip("uvicorn", reason="the portal needs telperion[web]")
    code = f"import signal, sys; signal.signal(signal.SIGINT, signal.{before}); from telperion.cli import main"
    code += "; sys.exit(main(['serve', '--port', '0']))"
    if before == "SIG_DFL":
        code = code.replace("signal.SIG_DFL", "signal.default_int_handler")
    process = subprocess.Popen(
        [sys.executable, "-u", "-c", code], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    guard = threading.Timer(100, process.kill)
    guard.start()
    try:
        assert "http://127.0.0.1" in process.stdout.readline()
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=60)
    finally:
        guard.cancel()
        process.kill()
    assert process.returncode == 130
    assert "stopped" in errors
    assert "Traceback" not in errors


def is_running(pid: str) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False
