"""A sky: what streams write of objects, and what is read of it in lists and by object."""

import sqlite3
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import replace
from threading import Timer

import numpy as np
import pytest

import telperion
from telperion.serve import sky_sink
from telperion.serve.answers import Provenance
from telperion.serve.outbox import Message
from telperion.serve.sky import NoSkyError, Sky, Wanted
from telperion.serve.sky_messages import SkyMessages, first_score
from telperion.serve.sky_rows import ROW, unpack_rows
from telperion.serve.sky_sink import MOST_ANSWERS, SkySink, write_sky
from telperion.serve.sky_tables import FILE, chance_column, level_columns, path_chances
from telperion.serve.store_error import StoreError
from telperion.serve.taken import Origin
from telperion.simulate.drawn import draw

DAYS = (0.0, 2.0, 16.0, 64.0)
ALL = Wanted()


def provenance(classifier, name) -> Provenance:
    return Provenance(name, classifier.fingerprint, classifier.tree)


@pytest.fixture(scope="module")
def classifier():
    return telperion.load("elasticc")


@pytest.fixture(scope="module")
def curves():
    drawn = draw(n_per_class=3, seed=4)
    n = len(drawn)
    return drawn.with_context(dict(drawn.context) | {"ra": np.linspace(0, 350, n), "decl": np.linspace(-70, 10, n)})


@pytest.fixture(scope="module")
def folder(tmp_path_factory, classifier, curves):
    folder = tmp_path_factory.mktemp("sky")
    write_sky(folder, provenance(classifier, "elasticc"), classifier, curves, days=DAYS, now=lambda: 1.7e9)
    return folder


@pytest.fixture
def sky(folder):
    return Sky(folder)


def everything(sky, wanted=ALL):
    found, after = [], None
    while page := sky.objects(wanted, limit=7, after=after):
        found += page
        after = sky.cursor(page[-1], wanted)
    return found


def test_every_object_is_listed_once_in_order_whatever_the_sort(sky, curves):
    assert sky.count(Wanted()) == len(curves)
    keys = {
        "follow-up": lambda each: each.score,
        "newest": lambda each: each.alert_time,
        "surest": lambda each: each.leaf_probability,
    }
    for sort in ("follow-up", "newest", "surest", "rarest"):
        found = everything(sky, Wanted(sort=sort))
        assert sorted(each.object_id for each in found) == sorted(curves.object_id)
        if sort in keys:
            values = [keys[sort](each) for each in found]
            assert values == sorted(values, reverse=True)


def test_the_latest_answer_is_that_of_the_whole_light_curve(sky, classifier, curves):
    said = classifier.predict(curves, days=DAYS[-1])
    for each in everything(sky):
        place = int(np.flatnonzero(curves.object_id == each.object_id)[0])
        np.testing.assert_allclose(each.probabilities, said[place], atol=1e-5)
        assert each.leaf_probability == pytest.approx(each.probabilities[sky.tree.index(each.leaf)])


@pytest.mark.parametrize("node", ["Alert", "Transient", "SN", "TDE", "Periodic"])
def test_a_node_selects_what_stands_below_it(sky, node):
    below = {name for name in sky.nodes if sky.tree.ancestors[sky.tree.index(name), sky.tree.index(node)]}
    every = everything(sky)
    decided = {each.object_id for each in every if each.leaf in below}
    assert {each.object_id for each in everything(sky, Wanted(node=node))} == decided
    assert sky.count(Wanted(node=node)) == len(decided)
    promised = {each.object_id for each in every if each.confident in below}
    assert {each.object_id for each in everything(sky, Wanted(node=node, promised=True))} == promised
    sure = {
        each.object_id
        for each in every
        if each.object_id in decided and each.probabilities[sky.tree.index(node)] >= 0.6
    }
    assert {each.object_id for each in everything(sky, Wanted(node=node, least=0.6))} == sure


def test_age_rows_and_text_select(sky):
    every = everything(sky)
    young = {each.object_id for each in everything(sky, Wanted(most_days=20, least_rows=5))}
    assert young == {each.object_id for each in every if each.days <= 20 and each.n_rows >= 5}
    assert {each.object_id for each in everything(sky, Wanted(text="AWN-1"))} == {
        each.object_id for each in every if "awn-1" in each.object_id
    }
    for pattern in ("%", "_", "drawn!", "!", "d%n", "' OR 1 --"):
        assert not everything(sky, Wanted(text=pattern)), "the text is no pattern"


def test_an_object_has_its_light_curve_and_its_answers_in_their_order(sky, curves, classifier):
    name = str(curves.object_id[5])
    known = sky.object(name)
    cut = telperion.encode.view.view(curves[5:6], DAYS[-1], classifier.view)
    for column in ("time", "flux", "flux_err", "band", "detected"):
        np.testing.assert_array_equal(getattr(known.light_curve, column), getattr(cut, column))
    assert known.light_curve.context["ra"] == curves.context["ra"][5]
    assert len(known.answers) == len(DAYS)
    assert (np.diff(known.answers.days) >= 0).all()
    np.testing.assert_allclose(known.answers.probabilities[-1], known.listed.probabilities)
    assert sky.object("no such object") is None
    assert sky.object("'; DROP TABLE objects; --") is None


def test_what_is_published_again_changes_nothing(tmp_path, classifier, curves):
    some, who = curves[:4], provenance(classifier, "elasticc")
    for _ in range(2):
        write_sky(tmp_path, who, classifier, some, days=DAYS, now=lambda: 1.7e9)
    sky = Sky(tmp_path)
    assert sky.count(Wanted()) == 4
    assert all(len(sky.object(str(name)).answers) == len(DAYS) for name in some.object_id)


def test_an_old_alert_that_comes_late_is_kept_and_changes_no_latest_answer(tmp_path, classifier, curves):
    who, one = provenance(classifier, "elasticc"), curves[:1]
    write_sky(tmp_path, who, classifier, one, days=DAYS)
    before = Sky(tmp_path).object(str(one.object_id[0]))
    write_sky(tmp_path, who, classifier, one, days=DAYS[:1])  # the first one again
    after = Sky(tmp_path).object(str(one.object_id[0]))
    np.testing.assert_array_equal(after.listed.probabilities, before.listed.probabilities)
    assert after.light_curve.n_rows == before.light_curve.n_rows


def test_rows_that_an_alert_no_longer_shows_stay_known(tmp_path, classifier, curves):
    one, who = curves[:1], provenance(classifier, "elasticc")
    write_sky(tmp_path, who, classifier, one, days=(16.0,))
    first = Sky(tmp_path).object(str(one.object_id[0])).light_curve
    middle = float(np.median(one.time))
    late = one.select_rows(one.time > middle)
    write_sky(tmp_path, who, classifier, late, days=(1000.0,))
    now = Sky(tmp_path).object(str(one.object_id[0])).light_curve
    assert now.time[0] == first.time[0]
    assert (np.diff(now.time) >= 0).all()


def test_versions_tell_what_changed(tmp_path, classifier, curves):
    who = provenance(classifier, "elasticc")
    write_sky(tmp_path, who, classifier, curves[:6], days=(1.0,))
    sky = Sky(tmp_path)
    before = sky.version_now()
    assert sky.changed(before) == (before, [])
    write_sky(tmp_path, who, classifier, curves[4:8], days=(8.0,))
    now, names = sky.changed(before)
    assert now > before
    assert set(names) == set(curves.object_id[4:8])


def test_many_answers_of_an_object_are_thinned_and_the_first_and_latest_stay(tmp_path, classifier, curves, monkeypatch):
    monkeypatch.setattr(sky_sink, "MOST_ANSWERS", 8)
    days = tuple(float(day) for day in range(40))
    write_sky(tmp_path, provenance(classifier, "elasticc"), classifier, curves[:1], days=days)
    answers = Sky(tmp_path).object(str(curves.object_id[0])).answers
    assert 4 <= len(answers) <= 8 < MOST_ANSWERS
    assert answers.alert_id[0] == 1
    assert answers.alert_id[-1] == 40


def test_readers_see_whole_writes_only_while_it_is_written(tmp_path, classifier, curves):
    who = provenance(classifier, "elasticc")
    write_sky(tmp_path, who, classifier, curves, days=(0.0,))
    sky, n = Sky(tmp_path), len(curves)

    def look(_):
        return len(everything(sky)), sky.count(Wanted())

    with ThreadPoolExecutor(4) as pool:
        seen = [pool.submit(look, k) for k in range(20)]
        write_sky(tmp_path, who, classifier, curves, days=(1.0, 2.0, 4.0, 8.0))
        assert {counted for _, counted in (each.result() for each in seen)} == {n}


def test_two_workers_write_one_sky(tmp_path, classifier, curves):
    who, half = provenance(classifier, "elasticc"), len(curves) // 2
    parts = [curves[:half], curves[half:]]
    with ThreadPoolExecutor(2) as pool:
        list(pool.map(lambda part: write_sky(tmp_path, who, classifier, part, days=DAYS), parts))
    assert Sky(tmp_path).count(Wanted()) == len(curves)


def test_a_worker_waits_for_another_that_is_beginning_the_same_sky(tmp_path):
    with closing(sqlite3.connect(tmp_path / FILE, isolation_level=None, check_same_thread=False)) as other:
        other.execute("CREATE TABLE begun (number)")
        other.execute("BEGIN IMMEDIATE")
        other.execute("INSERT INTO begun VALUES (1)")
        later = Timer(0.3, other.execute, ["COMMIT"])
        later.start()
        SkySink(tmp_path).close()
        assert other.execute("SELECT count(*) FROM begun").fetchone() == (1,)
        later.join()


def test_a_sky_that_another_never_lets_go_of_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(sky_sink, "_PATIENCE", 0.1)
    with closing(sqlite3.connect(tmp_path / FILE, isolation_level=None)) as other:
        other.execute("BEGIN EXCLUSIVE")
        with pytest.raises(StoreError, match="cannot be written: database is locked"):
            SkySink(tmp_path)


def test_scores_reorder_the_list_unless_the_object_was_answered_meanwhile(tmp_path, classifier, curves):
    who, some = provenance(classifier, "elasticc"), curves[:5]
    write_sky(tmp_path, who, classifier, some, days=(8.0,))
    name, sky = str(some.object_id[3]), Sky(tmp_path)
    answered = {each.object_id: int(sky.object(each.object_id).answers.alert_id[-1]) for each in everything(sky)}
    before, sink = sky.version_now(), SkySink(tmp_path)
    other = str(some.object_id[0])
    sink.score([(name, answered[name], 1e6, 1.0), ("unknown", 1, 1.0, 1.0), (other, answered[other] + 1, 1e9, 1.0)])
    assert sky.version_now() > before
    assert sky.objects(Wanted(), limit=1)[0].object_id == name
    assert sky.count(Wanted()) == 5
    sink.score([(name, answered[name], 0.0, 0.0)])
    sink.close()
    assert sky.object(name).listed.score == 0
    write_sky(tmp_path, who, classifier, some, days=(8.0, 64.0))
    assert sky.object(name).listed.score == 0, "what is not up stays down with its next alert"


def test_first_score_likes_what_is_unsure_and_bright(classifier):
    tree = classifier.tree
    unsure, sure = tree.from_leaves(np.full((1, 19), 1 / 19)), tree.from_leaves(np.eye(19)[:1])
    said = np.concatenate([unsure, unsure, sure, unsure])
    score = first_score(said, np.array([18.0, 23.0, 18.0, np.nan]), tree)
    assert score[0] > score[1] > score[2] >= 0
    assert score[3] == 0


def test_another_tree_is_refused(tmp_path, classifier, curves):
    write_sky(tmp_path, provenance(classifier, "elasticc"), classifier, curves[:2], days=(8.0,))
    other = telperion.load("plasticc-gru")
    with pytest.raises(StoreError, match="another tree"):
        write_sky(tmp_path, provenance(other, "plasticc-gru"), other, curves[:2], days=(8.0,))


def test_what_is_no_sky_is_refused(tmp_path, folder):
    with pytest.raises(ValueError, match="holds no sky"):
        Sky(tmp_path)
    (tmp_path / FILE).write_bytes(b"no database" * 1000)
    with pytest.raises(ValueError, match="is no sky"):
        Sky(tmp_path)
    (tmp_path / "other").mkdir()
    with closing(sqlite3.connect(tmp_path / "other" / FILE)) as database:
        with closing(sqlite3.connect(folder / FILE)) as whole:
            whole.backup(database)
        database.execute("UPDATE about SET value = 99 WHERE name = 'format'")
        database.commit()
    with pytest.raises(ValueError, match="format 99"):
        Sky(tmp_path / "other")


def test_a_sky_into_which_nothing_was_written_is_none_yet(tmp_path, folder):
    with pytest.raises(NoSkyError, match="holds no sky: a stream makes one"):
        Sky(tmp_path)
    sink = SkySink(tmp_path)
    with pytest.raises(NoSkyError, match="holds no sky yet: nothing is answered so far"):
        Sky(tmp_path)
    sink.flush(last=True)
    sink.close()
    with pytest.raises(NoSkyError, match="yet"):
        Sky(tmp_path)
    Sky(folder)


def test_a_cursor_that_is_none_is_refused(sky):
    for after in ("", "äöü", "bm9uZQ==", "WzEsMl0x"):
        with pytest.raises(ValueError, match="no place"):
            sky.objects(Wanted(), after=after)


def test_wanted_is_checked():
    for wrong in ({"sort": "loudest"}, {"least": 2.0}):
        with pytest.raises(ValueError, match="expected"):
            Wanted(**wrong)


def test_rows_come_back_as_they_were_and_damage_is_noticed(rng):
    rows = np.zeros(100, dtype=ROW)
    rows["time"], rows["flux"] = np.sort(rng.uniform(6e4, 6e4 + 100, 100)), rng.normal(size=100)
    np.testing.assert_array_equal(unpack_rows(rows.tobytes()), rows)
    with pytest.raises(ValueError, match="damaged: 1795 bytes"):
        unpack_rows(rows.tobytes()[:-5])


def test_the_path_down_to_the_leaf_has_the_probability_of_each_node_above_it(classifier, rng):
    tree = classifier.tree
    said = tree.probabilities(3 * rng.normal(size=(200, len(tree)))).astype(np.float32)
    leaf = tree.leaves[rng.integers(0, tree.leaves.size, 200)]
    columns, path = ["surest", *level_columns(tree)], path_chances(said, leaf, tree)
    for k, place in enumerate(leaf):
        for node in np.flatnonzero(tree.ancestors[place])[1:]:  # but the root
            assert path[k, columns.index(chance_column(tree, node))] == said[k, node]


def test_several_gives_all_objects_once(sky, curves):
    parts = list(sky.several(at_once=7))
    assert [len(part.light_curves) for part in parts][:-1] == [7] * (len(parts) - 1)
    names = np.concatenate([part.light_curves.object_id for part in parts])
    assert sorted(names) == sorted(curves.object_id)
    for part in parts:
        known = sky.object(str(part.light_curves.object_id[0]))
        np.testing.assert_array_equal(part.probabilities[0], known.listed.probabilities)
        np.testing.assert_array_equal(part.light_curves[0].flux, known.light_curve.flux)
        assert part.alert_id[0] == known.answers.alert_id[-1]
        assert part.alert_time[0] == known.listed.alert_time
    assert sky.latest_alert() == max(part.alert_time.max() for part in parts)
    late = sum(len(part.light_curves) for part in sky.several(sky.latest_alert()))
    assert late == 1


def test_one_batch_may_hold_several_alerts_of_an_object(tmp_path, classifier, curves):
    who, one = provenance(classifier, "elasticc"), curves[:1]
    write_sky(tmp_path / "a", who, classifier, one, days=DAYS)
    name = str(one.object_id[0])
    known = Sky(tmp_path / "a").object(name)
    shown = [telperion.encode.view.view(one, day, classifier.view) for day in DAYS]
    joined = telperion.lightcurves.LightCurves.concatenate(
        [replace(part, object_id=np.array([str(k)])) for k, part in enumerate(shown)]
    )
    values = SkyMessages(who, classifier.mix).encode(known.answers, joined)
    sink = SkySink(tmp_path / "b")
    sink.publish([Message(Origin("x", 0), b"", value) for value in values])
    sink.close()
    again = Sky(tmp_path / "b").object(name)
    np.testing.assert_array_equal(again.answers.probabilities, known.answers.probabilities)
    np.testing.assert_array_equal(again.light_curve.time, known.light_curve.time)
    assert again.listed.alert_time == known.listed.alert_time
    assert set(again.versions) == {who.version}


def test_messages_want_a_light_curve_an_answer(sky, classifier, curves):
    messages = SkyMessages(provenance(classifier, "elasticc"), classifier.mix)
    answers = sky.object(str(curves.object_id[0])).answers
    with pytest.raises(ValueError, match="2 light curves are given for 4 answers"):
        messages.encode(answers, curves[:2])
    assert messages.encode(answers[:0], curves[:0]) == []


def test_a_sky_that_cannot_be_written_says_so(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreError, match="cannot be written"):
        SkySink(tmp_path / "file" / "sky")


def test_a_sky_needs_no_extra(tmp_path):
    code = f"""
import sys
sys.modules |= dict.fromkeys(("lmdb", "numba", "confluent_kafka", "fastapi", "uvicorn", "torch", "sklearn"))
import telperion
from telperion.serve.answers import Provenance
from telperion.serve.sky import Sky, Wanted
from telperion.serve.sky_sink import write_sky
from telperion.simulate.drawn import draw
from telperion.tonight import score_sky
made = telperion.load("elasticc")
write_sky({str(tmp_path)!r}, Provenance("elasticc", "1", made.tree), made, draw(n_per_class=1, seed=1), days=(1, 8))
score_sky({str(tmp_path)!r})
assert Sky({str(tmp_path)!r}).count(Wanted()) > 9
"""
    subprocess.run([sys.executable, "-c", code], check=True)
