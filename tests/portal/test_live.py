"""The stream of events: everybody hears of every change, within a second, and nobody can take all the places."""

import json
import sqlite3
import time
from urllib.request import urlopen

import pytest
from tests.portal.portals import HOSTILE, named, serving, write

from telperion.portal.client import Portal, PortalError
from telperion.portal.live import message
from telperion.serve.sky import Sky
from telperion.simulate.drawn import draw


@pytest.fixture
def growing(tmp_path):
    write(tmp_path / "sky", named(draw(n_per_class=1, seed=2), [f"old-{k}" for k in range(14)]), days=(0.0, 4.0))
    return tmp_path / "sky"


def new(k, names):
    return named(draw(n_per_class=1, seed=20 + k)[: len(names)], names)


def test_a_change_is_told_within_a_second(growing, model):
    sky = Sky(growing)
    with serving(sky, model) as address, urlopen(f"{address}/events", timeout=20) as stream:
        while b"hello" not in stream.readline():
            pass
        write(growing, new(1, ["new"]), days=(0.0,))
        written = time.monotonic()
        while not (line := stream.readline()).startswith(b'data: {"version": ') or b"ids" not in line:
            pass
        assert time.monotonic() - written < 1.0
        assert json.loads(line[6:]) == {"version": sky.version_now(), "ids": ["new"]}


class Stumbling(Sky):
    """A sky that cannot be read for a while."""

    stumbles = 0

    def version_now(self):
        if self.stumbles:
            self.stumbles -= 1
            raise sqlite3.OperationalError("disk I/O error")
        return super().version_now()


def test_a_sky_that_cannot_be_read_for_a_while_is_told_of_again(growing, model):
    sky = Stumbling(growing)
    with serving(sky, model) as address, urlopen(f"{address}/events", timeout=20) as stream:
        while b"hello" not in stream.readline():
            pass
        time.sleep(0.5)
        sky.stumbles = 3
        write(growing, new(1, ["new"]), days=(0.0,))
        while b"ids" not in (line := stream.readline()):
            pass
        assert json.loads(line[6:])["ids"] == ["new"]
        assert sky.stumbles == 0


def test_who_comes_late_is_told_what_was_missed(growing, model):
    before = Sky(growing).version_now()
    write(growing, new(1, ["missed"]), days=(0.0,))
    with serving(Sky(growing), model) as address:
        assert next(Portal(address).watch(since=before))["ids"] == ["missed"]


def test_places_are_bounded_and_free_again(growing, model):
    with serving(Sky(growing), model, streams_each=2) as address:
        held = [urlopen(f"{address}/events", timeout=20) for _ in range(2)]
        with pytest.raises(PortalError, match="too many live connections"):
            next(Portal(address).watch())
        for each in held:
            each.close()
        write(growing, new(2, ["a"]), days=(0.0,))  # what is sent now finds out that nobody listens there
        until = time.monotonic() + 20
        while time.monotonic() < until:
            try:
                urlopen(f"{address}/events", timeout=20).close()
                break
            except OSError:
                time.sleep(0.2)
        else:
            pytest.fail("the places stay taken")


@pytest.mark.parametrize("name", HOSTILE)
def test_no_name_breaks_out_of_its_message(name):
    lines = message(3, [name]).split("\n")
    assert [line.split(":")[0] for line in lines] == ["event", "id", "data", "", ""]
    assert json.loads(lines[2][6:])["ids"] == [name]


def test_a_strange_place_to_go_on_from_is_passed_over(growing, model):
    with serving(Sky(growing), model) as address:
        for since in ("x", "-1", "9" * 400, "%00"):
            with urlopen(f"{address}/events?since={since}", timeout=20) as stream:
                assert stream.readline().startswith(b"retry")
