"""A shipped classifier and drawn light curves to examine it with."""

import numpy as np
import pytest

import telperion
from telperion.classifier import Classifier
from telperion.lightcurves import LightCurves
from telperion.simulate.drawn import draw
from telperion.taxonomy import Taxonomy


@pytest.fixture(scope="session")
def shipped() -> Classifier:
    """A steppable classifier along the tree of PLAsTiCC."""
    return telperion.load("plasticc-gru")


@pytest.fixture(scope="session")
def curves() -> LightCurves:
    """Four drawn light curves of each class."""
    return draw(n_per_class=4, seed=5)


@pytest.fixture
def toy() -> Taxonomy:
    """Four leaves, one of them (AGN) on level 2."""
    return Taxonomy(
        "toy", {"Alert": {"Transient": {"SN": {"SNIa": {}, "SNII": {}}}, "Variable": {"AGN": {}, "EB": {}}}}
    )


class Fixed:
    """A model that says the same of whatever it sees, and reads whole light curves only."""

    steppable = False

    def __init__(self, tree: Taxonomy, leaves: list[float]) -> None:
        self.tree, self.mix = tree, np.full(tree.leaves.size, 1 / tree.leaves.size)
        self._said = tree.from_leaves(np.array([leaves], dtype=np.float32))

    def predict(self, light_curves: LightCurves) -> np.ndarray:
        return self._said.repeat(len(light_curves), axis=0)


@pytest.fixture
def fixed(toy) -> Classifier:
    """It says SNIa of everything, with three tenths for the rest."""
    return Classifier(Fixed(toy, [0.1, 0.1, 0.7, 0.1]), "fixed", view="full")
