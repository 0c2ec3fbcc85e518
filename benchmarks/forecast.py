"""How far forecasts of brightness are off, and how far they say that they may be.

    python benchmarks/forecast.py SKY          # a labelled survey

Each object is asked about at one of its detections, drawn at random: how bright is the first row within .3 to 4 days
after it (of three times its error at least, so that it has a magnitude)?
"""

import argparse

import numpy as np

import telperion
from telperion.encode.view import keep_context, view
from telperion.rank.forecast import Usual, forecast
from telperion.tables import Table, to_markdown

GROUPS = {
    "TDE": ["TDE"], "KN": ["KN"], "supernovae": ["SNIa", "SNIb/c", "SNIax", "SNI91bg", "SNII"],
    "SLSN, PISN": ["SLSN", "PISN"], "CaRT, ILOT": ["CaRT", "ILOT"], "AGN": ["AGN"], "uLens": ["uLens"],
    "Dwarf Novae": ["Dwarf Novae"], "periodic": ["Cepheid", "RR Lyrae", "Delta Scuti", "EB"],
}  # fmt: skip
AFTER = 0.02


def questions(curves, rng):
    """Draw a detection of each object, and find the row that is asked about; objects without one are left out."""
    rows = np.flatnonzero(curves.detected)
    count = np.bincount(curves.object_index[rows], minlength=len(curves))
    now = curves.time[rows[np.cumsum(count) - count + (rng.random(len(curves)) * count).astype(int)]] + AFTER
    since = curves.time - now[curves.object_index]
    later = np.flatnonzero((since > 0.3) & (since <= 4) & (curves.flux > 3 * curves.flux_err))
    some, first = np.unique(curves.object_index[later], return_index=True)
    return some, now[some], later[first]


def last_magnitude(curves, band):
    """Give the magnitude of each object's last row in a band."""
    flux = np.full(len(curves), np.nan)
    rows = np.flatnonzero((curves.band == band[curves.object_index]) & (curves.flux > 3 * curves.flux_err))
    flux[curves.object_index[rows]] = curves.flux[rows]
    return 31.4 - 2.5 * np.log10(flux)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("sky")
    parser.add_argument("-m", "--model", default="elasticc")
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    curves, classifier = telperion.read(arguments.sky), telperion.load(arguments.model)
    some, now, row = questions(curves, np.random.default_rng(arguments.seed))
    when, band = curves.time[row], curves.band[row]
    flux, noise = curves.flux[row].astype(float), 1.0857 * curves.flux_err[row] / curves.flux[row]
    truth, every = 31.4 - 2.5 * np.log10(flux), np.arange(some.size)
    known = view(curves[some], now - curves.first_detection[some], "alert")
    said = classifier.predict(keep_context(known, "photoz"), view="full")
    last = truth - last_magnitude(known, band)
    columns = {}
    for name, usual in {"no class": Usual(), "by class": Usual.of(said, classifier.tree)}.items():
        made = forecast(known, when, now, usual)
        columns[name] = truth - made.magnitude[every, band], np.hypot(made.error[every, band], noise)
    rows = []
    for name, labels in GROUPS.items():
        mine = np.isin(known.label, labels) & np.isfinite(last) & np.isfinite(columns["by class"][0])
        cells = [f"{mine.sum():,}", f"{np.median(np.abs(last[mine])):.2f}"]
        for off, error in columns.values():
            pull = off[mine] / error[mine]
            shares = [f"{np.mean(np.abs(pull) < most):.2f}" for most in (1, 2)]
            cells += [f"{np.median(np.abs(off[mine])):.2f}", f"{np.median(off[mine]):+.2f}", *shares]
        rows.append([name, *cells])
    heads = [("", "class"), ("", "objects"), ("last row", "off")]
    heads += [(name, head) for name in columns for head in ("off", "median", "< 1", "< 2")]
    print(to_markdown(Table(f"{some.size:,} forecasts, mag", heads, rows)))


if __name__ == "__main__":
    main()
