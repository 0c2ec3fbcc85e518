"""A model's card: what is written is read back, and what is not ours is refused."""

import json
from dataclasses import dataclass

import numpy as np
import pytest

from telperion.models.card import MAX_BYTES, checked_file, read_card, write_card
from telperion.taxonomy import Taxonomy


@dataclass(frozen=True)
class Config:
    width: int = 3
    ages: tuple[float, ...] = (1.0, 2.0)

    def __post_init__(self):
        if self.width < 1:
            raise ValueError("width must be at least 1")


@pytest.fixture
def tree():
    return Taxonomy.load("mallorn")


@pytest.fixture
def card(tree, tmp_path):
    mix = np.arange(1.0, tree.leaves.size + 1)
    write_card(tmp_path / "deep" / "card.json", 7, Config(width=5), tree, mix, seed=3)
    return tmp_path / "deep" / "card.json"


def test_a_card_is_read_back(card, tree):
    config, mix, document = read_card(card, 7, Config, tree, ("seed",))
    assert config == Config(width=5)
    assert document["seed"] == 3
    np.testing.assert_allclose(mix * mix.size * (mix.size + 1) / 2, np.arange(1.0, mix.size + 1))


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"format": 6}, "has format 6, this version reads 7"),
        ({"nodes": ["a"]}, "another tree than 'mallorn'"),
        ({"config": {"widht": 3}}, "unknown to this version: 'widht'"),
        ({"config": {"width": 0}}, "at least 1"),
        ({"config": {"width": "3"}}, "not supported"),
        ({"config": None}, "NoneType"),
        ({"mix": [1.0]}, "class mix has shape"),
        ({"mix": [float("nan")] * 16}, "class mix"),
        ({"mix": "abc"}, "could not convert"),
    ],
)
def test_a_card_that_does_not_fit_is_refused(card, tree, change, said):
    card.write_text(json.dumps(json.loads(card.read_text()) | change))
    with pytest.raises(ValueError, match=f"card.json is not the card of a model: .*{said}"):
        read_card(card, 7, Config, tree)


@pytest.mark.parametrize("text", ["", "{", "[]", "7", "{}", "[" * 100_000, "\x00", '{"format": 7}'])
def test_what_is_no_card_is_refused(card, tree, text):
    card.write_text(text)
    with pytest.raises(ValueError, match="is not the card of a model"):
        read_card(card, 7, Config, tree)


def test_a_card_that_lacks_something_or_is_too_large_is_refused(card, tree):
    with pytest.raises(ValueError, match="lacks 'kernels'"):
        read_card(card, 7, Config, tree, ("kernels",))
    card.write_bytes(b" " * (MAX_BYTES + 1))
    with pytest.raises(ValueError, match=f"larger than {MAX_BYTES} bytes"):
        read_card(card, 7, Config, tree)
    with pytest.raises(ValueError, match="missing"):
        checked_file(card.parent / "other.json", 10)
