"""Batches part by part: each part has one alert an object."""

import numpy as np

from telperion.serve.waves import waves


def test_each_part_has_one_alert_an_object_and_later_parts_have_later_ones(rng):
    names = rng.choice(["a", "b", "ψ", "", "object 7"], 40)
    parts = waves(names)
    assert sorted(np.concatenate(parts)) == list(range(40))
    for number, part in enumerate(parts):
        assert (np.diff(part) > 0).all()
        assert np.unique(names[part]).size == part.size
        for place in part:
            assert (names[:place] == names[place]).sum() == number


def test_an_empty_batch_has_no_part():
    assert waves(np.zeros(0, dtype=np.str_)) == []
