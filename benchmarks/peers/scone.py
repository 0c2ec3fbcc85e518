"""SCONE (Qu et al. 2021): a small convolutional network on the image that a Gaussian process makes of a light curve."""

from __future__ import annotations

import hashlib
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from benchmarks.peers.fitting import Examples, Inputs, Recipe, cuts, dust_free, leaf_places
from benchmarks.peers.network_peer import NetworkPeer
from telperion.bands import WAVELENGTH
from telperion.encode.gaussian_process import (
    SOFTENING,
    VARIANCE,
    WAVELENGTH_SCALE,
    GaussianProcess,
    batches,
    gaussian_process,
    matern,
    thinned,
)
from telperion.encode.segments import Segments
from telperion.lightcurves import LightCurves
from telperion.progress import progress_bar
from telperion.taxonomy import Taxonomy

HEIGHT, WIDTH = 32, 180
BEFORE = 50.0
"""Days of the image before the first detection; it ends 130 days after it."""

DAYS = np.arange(WIDTH) - BEFORE
LOG_WAVELENGTHS = np.log(0.3 + 0.71 / HEIGHT * (np.arange(HEIGHT) + 0.5))  # 3000 to 10100 A

MOST_ROWS = 96
COPIES = 3
"""Random cuts of each training object of which images are kept; an epoch takes one of them."""

N_CONTEXT = 2
CHUNK = 500


class SconeNetwork(nn.Module):
    """Two pairs of convolutions over all wavelengths at once, each pair before a pooling, and two dense layers.

    For six classes and no context it has the 22,606 weights that the publication names.
    """

    def __init__(self, n_leaves: int, n_context: int = N_CONTEXT) -> None:
        super().__init__()
        self.first = nn.ModuleList([WholeHeight(HEIGHT, 2), WholeHeight(HEIGHT, 1)])
        self.second = nn.ModuleList([WholeHeight(HEIGHT // 2, 1), WholeHeight(HEIGHT // 2, 1)])
        self.pool = nn.MaxPool2d(2)
        self.dropouts = nn.ModuleList([nn.Dropout(0.5), nn.Dropout(0.3)])
        self.dense = nn.Linear(HEIGHT // 4 * (WIDTH // 4) + n_context, 32)
        self.leaves = nn.Linear(32, n_leaves)

    def forward(self, image: Tensor, context: Tensor) -> Tensor:
        """Give logits from images, shape ``(n, 2, 32, 180)``, and context, shape ``(n, n_context)``."""
        values = image.float()
        for block in (self.first, self.second):
            for layer in block:
                values = layer(values)
            values = self.pool(values)  # (n, 1, height / 2, width / 2)
        values = torch.cat([self.dropouts[0](values.flatten(1)), context], dim=1)
        return self.leaves(self.dropouts[1](self.dense(values).relu()))


class WholeHeight(nn.Module):
    """A convolution whose kernel spans all rows; its filters become the rows of one new channel."""

    def __init__(self, height: int, n_channels: int) -> None:
        super().__init__()
        self.filters = nn.Conv2d(n_channels, height, (height, 3), padding=(0, 1))
        self.norm = nn.BatchNorm2d(1)

    def forward(self, values: Tensor) -> Tensor:
        return self.norm(nn.functional.elu(self.filters(values)).transpose(1, 2))  # (n, 1, height, width)


class Scone(NetworkPeer):
    name = "SCONE"
    what = (
        "Qu et al. 2021, and 2022 for early epochs: 32 x 180 image of flux and error by a Gaussian process, its "
        "convolutional network; days count from the first detection, days to come are empty, the redshift and whether "
        f"it is known stand before the dense layers; {COPIES} random cuts of each object are drawn once"
    )
    recipe = Recipe(batch_size=64, learning_rate=1e-3)

    def build(self, n_leaves: int) -> nn.Module:
        return SconeNetwork(n_leaves)

    def encode(self, known: LightCurves) -> Inputs:
        return images(known), redshifts(known)

    def fit(
        self, train: LightCurves, valid: LightCurves, tree: Taxonomy, folder: Path, *, seed: int, context: str
    ) -> None:
        """Make the images of some cuts first, then learn from those."""
        cut = cuts(train, self.view_of_training)
        said = f"{seed} {self.view_of_training} {context} {train.n_rows} {' '.join(train.object_id)}"
        key = hashlib.sha256(said.encode()).hexdigest()[:12]
        drawn, seconds = [], 0.0
        for k in range(COPIES):
            each, taken = kept_images(cut(np.random.default_rng([seed, k])), folder / f"images-{key}-{k}")
            drawn.append(each)
            seconds += taken
        labels, told = leaf_places(train, tree), redshifts(train)

        def epoch(rng: np.random.Generator) -> Examples:
            which = rng.integers(COPIES, size=len(train))

            def read(chosen: NDArray[np.int64]) -> Inputs:
                return np.stack([drawn[which[k]][k] for k in chosen]), told[chosen]

            return Examples(labels, rng.random(len(train)), read)

        torch.manual_seed(seed)
        self.train(self.build(tree.leaves.size), epoch, self.held(valid, tree), train, folder, seed, context, seconds)
        for path in folder.glob("images-*"):
            path.unlink()


def kept_images(cut: LightCurves, path: Path) -> tuple[Any, float]:
    """Make images, shape ``(n_objects, 2, 32, 180)``, on disk; those that are there are taken as they are.

    The seconds that it took are kept beside them.
    """
    clock, began = path.with_suffix(".seconds"), time.monotonic()
    done = path.with_suffix(".npy")
    if not done.is_file():
        new = path.with_suffix(".new.npy")
        shape = (len(cut), 2, HEIGHT, WIDTH)
        kept = np.lib.format.open_memmap(new, mode="w+", dtype=np.float16, shape=shape)
        with progress_bar() as progress:
            task = progress.add_task("images", total=len(cut))
            for start in range(0, len(cut), CHUNK):
                kept[start : start + CHUNK] = images(cut[start : start + CHUNK])
                progress.advance(task, min(CHUNK, len(cut) - start))
        kept.flush()
        clock.write_text(str(time.monotonic() - began), encoding="utf-8")
        new.rename(done)
    return np.load(done, mmap_mode="r", allow_pickle=False), float(clock.read_text(encoding="utf-8"))


def redshifts(known: LightCurves) -> NDArray[np.float32]:
    """Give the redshift (0 if unknown) and whether it is known, shape ``(n_objects, 2)``."""
    redshift = known.context.get("redshift", np.full(len(known), np.nan))
    return np.stack([np.nan_to_num(redshift), np.isfinite(redshift)], axis=1).astype(np.float32)


def images(known: LightCurves) -> NDArray[np.float16]:
    """Make the images of light curves: mean and standard deviation of the process, in units of the brightest mean.

    Returns
    -------
    array, shape ``(n_objects, 2, 32, 180)``
        Zero on days after an object's last row, and for an object without rows within the days of the image.
    """
    fluxes = dust_free(known)
    result = np.zeros((len(known), 2, HEIGHT, WIDTH), dtype=np.float16)
    since = fluxes.days_since_first_detection
    near = (since >= -BEFORE) & (since < WIDTH - BEFORE)
    groups = Segments(fluxes.object_index[near], len(known))
    used = np.flatnonzero(near)[thinned(groups, MOST_ROWS)]
    if not used.size:
        return result
    groups = Segments(fluxes.object_index[used], len(known))
    flux, error = (column[used].astype(np.float64) for column in (fluxes.flux, fluxes.flux_err))
    process = gaussian_process(groups, since[used], fluxes.band[used], flux, error, before=np.inf, after=np.inf)
    noise = (error / process.amplitude[groups.key]) ** 2 + SOFTENING**2
    last = np.full(len(known), -np.inf)
    np.maximum.at(last, known.object_index, since)
    for members, rows, held in batches(groups, extra=HEIGHT * WIDTH // 8):
        image = _images(process, noise, fluxes.band[used], members, rows, held)
        image *= (last[members, None] >= np.floor(DAYS))[:, None, None, :]
        result[members] = image
    return result


def _images(
    process: GaussianProcess,
    noise: NDArray[np.float64],
    band: NDArray[np.int8],
    members: NDArray[np.int64],
    rows: NDArray[np.int64],
    held: NDArray[np.bool_],
) -> NDArray[np.float32]:
    """Give the images of a batch of objects with about as many rows each."""
    days, wave, scale = process.time[rows], np.log(WAVELENGTH)[band[rows]], process.time_scale[members, None, None]
    both = held[:, :, None] & held[:, None, :]
    kernel = VARIANCE * matern(days[:, :, None] - days[:, None, :], scale) * both
    kernel *= matern(wave[:, :, None] - wave[:, None, :], WAVELENGTH_SCALE)
    place = np.arange(rows.shape[1])
    kernel[:, place, place] += np.where(held, noise[rows], 1.0)
    in_time = matern(DAYS[:, None] - days[:, None, :], scale) * held[:, None, :]  # (batch, 180, n)
    across = VARIANCE * matern(LOG_WAVELENGTHS[:, None] - wave[:, None, :], WAVELENGTH_SCALE)  # (batch, 32, n)
    cross = torch.from_numpy(
        (across[:, :, None] * in_time[:, None]).astype(np.float32).reshape(len(members), -1, place.size)
    )
    factor = torch.linalg.cholesky(torch.from_numpy(kernel)).float()
    mean = cross @ torch.from_numpy(process.weight[rows].astype(np.float32) * held)[:, :, None]
    solved = torch.linalg.solve_triangular(factor, cross.transpose(1, 2), upper=False)
    spread = (VARIANCE - solved.square().sum(dim=1)).clamp(min=0).sqrt()
    image = torch.stack([mean[:, :, 0], spread], dim=1)  # (batch, 2, 32 x 180)
    brightest = mean.abs().amax(dim=(1, 2)).clamp(min=1e-3)
    scaled: NDArray[np.float32] = (image / brightest[:, None, None]).clamp(-10, 10).numpy()
    return scaled.reshape(len(members), 2, HEIGHT, WIDTH)
