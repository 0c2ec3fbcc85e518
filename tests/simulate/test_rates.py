"""How many light curves of each class the survey would see: rates that sources follow, counts known elsewhere."""

import numpy as np
import pytest

from telperion.cli import main
from telperion.cosmology import distance_modulus
from telperion.formats import read
from telperion.simulate import rates
from telperion.simulate.kinds import KINDS
from telperion.simulate.rates import OBJECTS, RATES, expected, happening
from telperion.simulate.source import FIRST_PEAK, LAST_PEAK


def test_every_class_has_a_rate_or_a_number():
    assert set(RATES) | set(OBJECTS) == set(KINDS)
    assert not set(RATES) & set(OBJECTS)
    assert set(OBJECTS) == {"AGN"} | {label for label, kinds in KINDS.items() if next(iter(kinds)).galactic}


@pytest.mark.parametrize("label", list(RATES))
def test_sources_follow_the_rate_that_is_counted_with(label, make_sky):
    """Volume times rate, integrated anew here, against what is drawn: Kolmogorov and Smirnov's distance."""
    _, growth, largest = RATES[label]
    z = np.linspace(1e-3, largest, 4000)
    comoving = 10 ** (0.2 * distance_modulus(z)) / (1 + z)
    share = np.cumsum(np.gradient(comoving**3, z) * growth(z) / (1 + z))
    sky = make_sky(1)
    many = type(sky)(*(np.zeros(2000) for _ in range(3)), np.zeros(2000, bool), np.zeros(2001, int), *np.zeros((3, 0)))
    for source in KINDS[label]:
        drawn = np.sort(source.draw(many, np.random.default_rng(1)).redshift)
        if drawn[-1] > largest:  # the rarest of type II reach further
            drawn = drawn[drawn < largest]
        below = np.interp(drawn, z, share / share[-1])
        assert np.abs(below - np.arange(1, len(drawn) + 1) / len(drawn)).max() < 0.04


def test_a_constant_rate_nearby_is_volume_times_time():
    """Kilonovae: 3.2e-7 per year and cubic megaparsec, in Euclid's volume to a fifth."""
    radius = 299792.458 / 70 * 0.28
    years = (LAST_PEAK - FIRST_PEAK) / 365.25
    assert happening("KN") == pytest.approx(3.2e-7 * 5.694 / 3 * radius**3 * years, rel=0.4)


def test_supernovae_are_as_many_as_a_survey_of_three_years_saw_elsewhere(monkeypatch):
    """PLAsTiCC's test set (Kessler et al. 2019) held 1.66 million SNIa and 36 thousand SLSN: within a factor of two."""
    monkeypatch.setattr(rates, "ENOUGH", 30)
    found = expected({label: KINDS[label] for label in ("SNIa", "SLSN", "M-dwarf Flare")})
    assert 0.8e6 < found["SNIa"] < 3.3e6
    assert 18e3 < found["SLSN"] < 72e3
    assert found["M-dwarf Flare"] == 7000


def test_the_command_shares_a_survey_out_by_rates(tmp_path, monkeypatch):
    monkeypatch.setattr(rates, "ENOUGH", 1)
    assert main(["simulate", "elasticc", "-n", "20", "--mix", "rates", "-o", str(tmp_path / "sky")]) == 0
    found = np.unique(read(tmp_path / "sky").label, return_counts=True)
    assert set(found[0][found[1] >= 5]) == {"SNIa", "SNII"}
