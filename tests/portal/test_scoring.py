"""The order of tonight is worked out beside the portal, again and again, and a failure is told once."""

import threading
import time

from tests.portal.portals import named, write

from telperion.portal.scoring import Scoring
from telperion.serve.sky import Sky, Wanted
from telperion.simulate.drawn import draw


def test_a_sky_is_scored_while_it_is_read(tmp_path):
    write(tmp_path, named(draw(n_per_class=1, seed=3), [f"o{k}" for k in range(14)]), days=(4.0,))
    sky = Sky(tmp_path)
    before = {each.object_id: each.score for each in sky.objects(Wanted())}
    wrong = []
    scoring = Scoring(tmp_path, 60, "cerro-pachon", wrong.append)
    scoring.start()
    until = time.monotonic() + 60
    while {each.object_id: each.score for each in sky.objects(Wanted())} == before and time.monotonic() < until:
        time.sleep(0.1)
    scoring.stop()
    assert wrong == []
    assert {each.object_id: each.score for each in sky.objects(Wanted())} != before


def test_what_went_wrong_is_told_once(tmp_path):
    told = threading.Event()
    wrong = []
    scoring = Scoring(tmp_path / "nothing", 0.0001, "cerro-pachon", lambda why: (wrong.append(why), told.set()))
    scoring.start()
    assert told.wait(60)
    scoring.stop()
    assert len(wrong) == 1
    assert "holds no sky" in wrong[0]
