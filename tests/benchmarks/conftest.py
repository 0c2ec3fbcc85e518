"""What every peer must hold, whatever it is made of."""

import json

import numpy as np
import pytest

from telperion.encode.view import view
from telperion.taxonomy import Taxonomy

TREE = Taxonomy.load("plasticc")


@pytest.fixture
def adds_up():
    """Give a check that siblings sum to their parent at any age."""

    def check(peer, curves):
        for days in (0.0, 2.0, 1024.0):
            said = peer.predict(view(curves, days, "alert"))
            np.testing.assert_allclose(said[:, 0], 1, atol=1e-5)
            for group in TREE.groups[1:]:
                np.testing.assert_allclose(said[:, group].sum(axis=1), said[:, TREE.parent[group[0]]], atol=1e-5)

    return check


@pytest.fixture
def minds_no_order():
    """Give a check that objects do not depend on one another, and that nothing seen says nothing."""

    def check(peer, curves, atol):
        said, back = peer.predict(curves), np.arange(len(curves))[::-1]
        assert np.ptp(said[:, TREE.leaves], axis=0).max() > 1e-4
        np.testing.assert_allclose(peer.predict(curves[back]), said[back], atol=atol)
        none = peer.predict(curves.select_rows(np.zeros(curves.n_rows)))
        np.testing.assert_allclose(none[:, TREE.leaves], 1 / len(TREE.leaves), rtol=1e-5)

    return check


@pytest.fixture
def is_kept():
    """Give a check that what is read back says the same, tells of its training and refuses another tree."""

    def check(peer, folder, curves, epochs=None):
        again = type(peer)()
        again.load(folder, TREE)
        np.testing.assert_allclose(again.predict(curves), peer.predict(curves), atol=1e-6)
        assert again.n_parameters == peer.n_parameters > 0
        if epochs is not None:
            told = json.loads((folder / "training.json").read_text())
            assert (told["epochs"], told["plateau"], told["n_parameters"]) == (epochs, False, again.n_parameters)
        with pytest.raises(ValueError, match="another tree"):
            again.load(folder, Taxonomy.load("elasticc"))

    return check
