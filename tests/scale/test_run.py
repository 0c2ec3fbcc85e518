import json

import numpy as np
import pyarrow.parquet as pq
import pytest
from tests.scale.made_up import answers, assert_same

import telperion
from telperion.scale import run as module
from telperion.scale import workers
from telperion.scale.catalogue import is_hats, open_catalogue
from telperion.scale.run import CARD, classify_catalogue


class Watch:
    """Stands for a progress bar, and does something after each part."""

    def __init__(self, after=lambda done: None):
        self.total, self.done, self.after = 0, 0, after

    def add_task(self, description, total, completed):
        self.total, self.done = total, completed
        return 0

    def advance(self, task):
        self.done += 1
        self.after(self.done)


@pytest.fixture(scope="module")
def plain(sky, tmp_path_factory):
    folder = tmp_path_factory.mktemp("plain") / "out"
    return classify_catalogue(sky, folder, days=[8.0, np.inf])


def test_every_object_gets_the_answer_of_the_classifier(plain, curves):
    made = answers(plain.folder).sort_by([("object_id", "ascending"), ("days", "ascending")])
    expected = telperion.load("elasticc").classify(curves, days=[8.0, np.inf])
    expected = expected.sort_by([("object_id", "ascending"), ("days", "ascending")])
    assert (plain.objects, plain.rows, plain.before, plain.mended) == (len(curves), 2 * len(curves), 0, {})
    for name in ("object_id", "n_obs", "leaf", "confident_node"):
        assert made.column(name).to_pylist() == expected.column(name).to_pylist()
    np.testing.assert_allclose(made["SNIa"].to_numpy(), expected["SNIa"].to_numpy(), atol=2e-6)


def test_answers_are_a_catalogue_with_the_parts_of_the_other(plain, sky):
    assert is_hats(str(plain.folder))
    made, given = open_catalogue(str(plain.folder)), open_catalogue(str(sky))
    assert made.pixels == given.pixels
    for one, other in zip(made.files, given.files, strict=True):
        here = pq.read_table(one[0], columns=["_healpix_29", "object_id", "ra", "dec"], partitioning=None)
        there = pq.read_table(other[0], columns=["_healpix_29", "object_id", "ra", "dec"], partitioning=None)
        assert here.take(np.arange(0, len(here), 2)).equals(there)


def test_what_is_done_is_not_done_again(plain, sky, monkeypatch):
    def never(*_):
        raise AssertionError

    monkeypatch.setattr(workers, "classify_part", never)
    again = classify_catalogue(sky, plain.folder, days=[8.0, np.inf])
    assert (again.before, again.objects, again.rows) == (again.parts, plain.objects, plain.rows)


def test_a_stopped_run_goes_on_and_is_the_same(plain, sky, tmp_path):
    def stop(done):
        if done == 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        classify_catalogue(sky, tmp_path / "out", days=[8.0, np.inf], progress=Watch(stop))
    assert not is_hats(str(tmp_path / "out"))  # nobody takes it for whole
    watch = Watch()
    done = classify_catalogue(sky, tmp_path / "out", days=[8.0, np.inf], progress=watch)
    assert done.before == 3
    assert watch.done == watch.total == done.parts > 3
    assert_same(done.folder, plain.folder)


def test_a_part_that_is_damaged_is_done_again(plain, sky, tmp_path):
    done = classify_catalogue(sky, tmp_path / "out", days=[8.0, np.inf])
    first = next((done.folder / "dataset").glob("Norder=*/Dir=*/Npix=*.parquet"))
    first.write_bytes(first.read_bytes()[:-8])
    again = classify_catalogue(sky, tmp_path / "out", days=[8.0, np.inf])
    assert again.before == again.parts - 1
    assert_same(done.folder, plain.folder)


def test_processes_write_what_one_writes(plain, sky, tmp_path):
    done = classify_catalogue(sky, tmp_path / "out", days=[8.0, np.inf], jobs=2)
    assert_same(done.folder, plain.folder)


def test_a_process_that_is_killed_is_said(sky, tmp_path, monkeypatch):
    def killed(done):
        import multiprocessing

        for process in multiprocessing.active_children():
            process.kill()

    with pytest.raises(RuntimeError, match=r"a process was killed.*the same command goes on"):
        classify_catalogue(sky, tmp_path / "out", jobs=2, progress=Watch(killed))
    assert classify_catalogue(sky, tmp_path / "out").before >= 1


@pytest.mark.parametrize(
    "settings", [{"days": [2.0]}, {"model": "plasticc-gru"}, {"context": "none"}, {"view": "full"}]
)
def test_a_folder_of_other_answers_is_refused(plain, sky, settings):
    with pytest.raises(ValueError, match="holds another set of answers"):
        classify_catalogue(sky, plain.folder, **({"days": [8.0, np.inf]} | settings))


def test_a_folder_of_something_else_is_refused(sky, tmp_path):
    (tmp_path / "thesis.tex").write_text("")
    with pytest.raises(ValueError, match="is not empty"):
        classify_catalogue(sky, tmp_path)


def test_a_part_that_fails_holds_nobody_up_and_is_tried_again(sky, tmp_path, monkeypatch):
    real, broken = workers.classify_part, open_catalogue(str(sky)).files[1]

    def fails(job, files, target):
        if files == broken:
            raise OSError("the disk is on fire")
        return real(job, files, target)

    monkeypatch.setattr(workers, "classify_part", fails)
    with pytest.raises(ValueError, match=r"1 of \d+ parts failed, first Norder=.*: the disk is on fire. What is done"):
        classify_catalogue(sky, tmp_path / "out")
    monkeypatch.setattr(workers, "classify_part", real)
    done = classify_catalogue(sky, tmp_path / "out")
    assert done.before == done.parts - 1


def test_where_every_part_fails_it_does_not_go_on(sky, tmp_path, monkeypatch):
    tried = []

    def fails(job, files, target):
        tried.append(target)
        raise OSError("no disk")

    monkeypatch.setattr(workers, "classify_part", fails)
    monkeypatch.setattr(module, "HOPELESS", 2)
    with pytest.raises(ValueError, match=r"2 of .* parts failed"):
        classify_catalogue(sky, tmp_path / "out")
    assert len(tried) == 2


def test_what_was_asked_stands_in_the_folder(plain, sky):
    card = json.loads((plain.folder / CARD).read_text())
    assert card["catalogue"] == str(sky)
    assert card["model"] == "elasticc"
    assert card["days"] == ["8", "inf"]
    assert card["layout"]["dereddened"] is False


def test_a_wrong_question_is_known_before_anything_is_written(sky, tmp_path):
    with pytest.raises(ValueError, match="promises nothing"):
        classify_catalogue(sky, tmp_path / "out", model="plasticc-gru", level=0.9)
    with pytest.raises(ValueError, match="'nothing', which is not there"):
        classify_catalogue(sky, tmp_path / "out", names={"nothing": "light_curve"})
    assert not (tmp_path / "out").exists()


def test_answers_that_are_done_again_are_no_catalogue_meanwhile(plain, sky, tmp_path, monkeypatch):
    done = classify_catalogue(sky, tmp_path / "out", days=[8.0, np.inf])
    next((done.folder / "dataset").glob("Norder=*/Dir=*/Npix=*.parquet")).unlink()

    def stop(_):
        assert not is_hats(str(done.folder))
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        classify_catalogue(sky, tmp_path / "out", days=[8.0, np.inf], progress=Watch(stop))
    again = classify_catalogue(sky, tmp_path / "out", days=[8.0, np.inf])
    assert again.before == again.parts
    assert is_hats(str(again.folder))


def test_two_runs_into_one_folder_write_what_one_writes(plain, sky, tmp_path):
    def other(done):
        if done == 2:
            classify_catalogue(sky, tmp_path / "out", days=[8.0, np.inf])

    made = classify_catalogue(sky, tmp_path / "out", days=[8.0, np.inf], progress=Watch(other))
    assert_same(made.folder, plain.folder)
    assert not list(made.folder.rglob("*.partial"))


def test_what_fails_here_and_is_done_by_another_run_is_no_failure(sky, tmp_path, monkeypatch):
    real = workers.classify_part

    def swept(job, files, target):  # as where the other run, the last to finish, takes what is unfinished away
        real(job, files, target)
        raise FileNotFoundError("Norder=0-Npix=4-1f.parquet")

    monkeypatch.setattr(workers, "classify_part", swept)
    assert classify_catalogue(sky, tmp_path / "out").before == 0


def test_who_is_killed_while_the_question_is_written_leaves_room_for_it(sky, tmp_path):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / f"{CARD}.partial").write_text('{"mod')
    assert classify_catalogue(sky, tmp_path / "out").parts > 1


def test_a_catalogue_with_other_parts_is_another_question(sky, tmp_path):
    import shutil

    shutil.copytree(sky, tmp_path / "sky")
    classify_catalogue(tmp_path / "sky", tmp_path / "out")
    part = next((tmp_path / "sky" / "dataset").glob("Norder=*/Dir=*/Npix=*.parquet"))
    order = int(part.parts[-3].partition("=")[2])
    number = int(part.stem.partition("=")[2])
    finer = part.parents[2] / f"Norder={order + 1}" / "Dir=0" / f"Npix={4 * number}.parquet"
    finer.parent.mkdir(parents=True, exist_ok=True)
    part.rename(finer)
    with pytest.raises(ValueError, match="holds another set of answers"):
        classify_catalogue(tmp_path / "sky", tmp_path / "out")


@pytest.mark.parametrize("asked", [{"days": []}, {"days": [np.nan]}, {"view": "x"}, {"context": "x"}])
def test_what_no_part_could_be_asked_is_refused_at_once(sky, tmp_path, asked):
    with pytest.raises(ValueError, match=r"days|view|context|x"):
        classify_catalogue(sky, tmp_path / "out", **asked)
    assert not (tmp_path / "out").exists()
