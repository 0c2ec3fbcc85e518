"""A GRU as the teacher of another: it says what its classifier says, and is learnt from."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from telperion.encode.view import view
from telperion.models.gru import encoder
from telperion.models.gru_config import ORACLE, TELPERION
from telperion.models.gru_teacher import Teacher
from telperion.models.gru_training import Trainer, fit
from telperion.simulate.drawn import draw
from telperion.taxonomy import Taxonomy

SMALL = replace(TELPERION, hidden=16, head=24, epochs=2, batch_size=16, learning_rate=5e-3)


@pytest.fixture(scope="module")
def tree():
    return Taxonomy.load("plasticc")


@pytest.fixture(scope="module")
def curves():
    return draw(n_per_class=3, seed=1)


@pytest.fixture(scope="module")
def taught(curves, tree, tmp_path_factory):
    """The folder of a teacher, and the model in it."""
    folder = tmp_path_factory.mktemp("teacher")
    model = fit(curves, None, tree, SMALL, folder=folder / "training")
    (folder / "model").mkdir()
    model.save(folder / "model")
    return folder, model


@pytest.mark.parametrize("rhythm", [False, True])
def test_the_teacher_says_what_its_classifier_says(taught, curves, tree, rhythm):
    folder, model = taught
    config = replace(SMALL, hidden=8, rhythm=rhythm)  # rows with more features, of which the teacher reads its own
    known = view(curves, 20.0, "alert")
    inputs, static = encoder(config), encoder(config).static(known)
    rows, lengths, _ = inputs.rows(known, static, inputs.start(len(known)))
    tensors = torch.from_numpy(rows), torch.from_numpy(static), torch.from_numpy(lengths - 1)[:, None]
    logits = Teacher(str(folder), config, tree)(*tensors)[:, 0]
    np.testing.assert_allclose(tree.probabilities(logits.double().numpy()), model.predict(known), atol=1e-5)


def test_what_is_learnt_of_a_teacher_alone_knows_no_labels(taught, curves, tree, tmp_path):
    config = replace(SMALL, teacher=str(taught[0]), taught=1.0, balance=0.0)
    networks = []
    for labels in (curves.label, np.roll(curves.label, 3)):
        trainer = Trainer(replace(curves, label=labels), None, tree, config, tmp_path, 1)
        trainer.run_epoch()
        networks.append(trainer.network.state_dict())
    for name, weight in networks[0].items():
        torch.testing.assert_close(weight, networks[1][name])


def test_a_pupil_comes_nearer_to_its_teacher(taught, curves, tree, tmp_path):
    folder, model = taught
    config = replace(SMALL, teacher=str(folder), taught=1.0, epochs=12)
    trainer, off = Trainer(curves, None, tree, config, tmp_path, 2), []
    for _ in range(12):
        off.append(np.abs(trainer.model().predict(curves) - model.predict(curves)).mean())
        trainer.run_epoch()
    assert off[-1] < 0.5 * off[0]


def test_a_teacher_that_does_not_fit_is_refused(taught, tree, tmp_path):
    with pytest.raises(ValueError, match=r"no recurrent classifier 'nowhere'"):
        Teacher("nowhere", SMALL, tree)
    with pytest.raises(ValueError, match=r"alert view, what learns of the preset 'oracle'"):
        Teacher(str(taught[0]), ORACLE, tree)
    with pytest.raises(ValueError, match="another tree"):
        Teacher(str(taught[0]), SMALL, Taxonomy.load("elasticc"))
    with pytest.raises(ValueError, match="rhythm"):
        Teacher("elasticc", SMALL, Taxonomy.load("elasticc"))
