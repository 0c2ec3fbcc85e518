"""Template files: what is right is read as it stands, what is wrong is refused with its name."""

import numpy as np
import pytest
from astropy.io import fits

from telperion.simulate.spectra import Series, read_image, read_kilonovae, read_salt, read_text


def test_a_table_is_read_as_it_was_written(made_up, tmp_path):
    made_up.write_text(tmp_path / "sn.SED")
    found = read_text(tmp_path / "sn.SED")
    np.testing.assert_array_equal(found.phase, made_up.PHASES)
    np.testing.assert_array_equal(found.wavelength, made_up.WAVELENGTHS)
    np.testing.assert_allclose(found.flux, made_up.light(made_up.PHASES, made_up.WAVELENGTHS), rtol=1e-5)
    assert len(found.until(30.0).phase) == 6


def test_a_few_missing_values_are_filled_and_more_are_refused(made_up, tmp_path):
    flux = made_up.light(made_up.PHASES, made_up.WAVELENGTHS)
    expected = (flux[3, 6] + flux[3, 8]) / 2
    broken = np.tile(flux, (2, 1))  # 1,342 values
    broken[3, 7] = np.nan
    made_up.write_text(tmp_path / "sn.SED", np.arange(22.0), flux=broken)
    assert read_text(tmp_path / "sn.SED").flux[3, 7] == pytest.approx(expected, rel=1e-4)
    broken[5:8, 2] = np.nan
    made_up.write_text(tmp_path / "sn.SED", np.arange(22.0), flux=broken)
    with pytest.raises(ValueError, match=r"sn.SED: 4 of 1342 fluxes are not finite"):
        read_text(tmp_path / "sn.SED")


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda lines: lines[:-5], "no multiple of the 61 wavelengths"),
        (lambda lines: [*lines[:-1], lines[-1][:4]], "no table of numbers"),
        (lambda lines: [line.rsplit(" ", 1)[0] for line in lines], "2 columns"),
        (lambda lines: [lines[0], *lines[62:], *lines[1:62]], "phases do not rise"),
        (lambda lines: [*lines[:70], lines[71], lines[70], *lines[72:]], "not every day has the same wavelengths"),
        (lambda lines: ["# nothing"], "no spectra"),
        (lambda lines: [line.replace(" ", " x", 1) for line in lines], "no table of numbers"),
    ],
)
@pytest.mark.filterwarnings("ignore:loadtxt")
def test_a_damaged_table_is_refused(made_up, tmp_path, change, said):
    path = tmp_path / "sn.SED"
    made_up.write_text(path)
    path.write_text("\n".join(change(path.read_text().splitlines())) + "\n")
    with pytest.raises(ValueError, match=said) as raised:
        read_text(path)
    assert "sn.SED" in str(raised.value)


def test_what_is_missing_or_too_large_is_refused(made_up, tmp_path, monkeypatch):
    with pytest.raises(ValueError, match=r"sn.SED is missing"):
        read_text(tmp_path / "sn.SED")
    made_up.write_text(tmp_path / "sn.SED")
    monkeypatch.setattr("telperion.simulate.spectra.LARGEST", 1000)
    with pytest.raises(ValueError, match="more than the 1,000 allowed"):
        read_text(tmp_path / "sn.SED")


def test_an_image_has_the_axes_of_its_header(made_up, tmp_path):
    made_up.write_image(tmp_path / "sn.fits", -20.0)
    found = read_image(tmp_path / "sn.fits")
    assert (found.phase[0], found.phase[-1], found.wavelength[0], found.wavelength[-1]) == (-20, 69, 1000, 25000)
    assert found.flux.shape == (90, 241)


@pytest.mark.filterwarnings("ignore:File may have been truncated")
@pytest.mark.parametrize("kind", ["text", "cut", "empty", "bare", "nan", "downwards"])
def test_a_damaged_image_is_refused(made_up, tmp_path, kind):
    path = tmp_path / "sn.fits"
    made_up.write_image(path, -20.0)
    if kind == "text":
        path.write_text("SIMPLE")
    elif kind == "cut":
        path.write_bytes(path.read_bytes()[:4000])
    elif kind == "empty":
        fits.PrimaryHDU().writeto(path, overwrite=True)
    elif kind == "bare":
        fits.PrimaryHDU(np.ones((4, 4))).writeto(path, overwrite=True)
    else:
        with fits.open(path) as hdus:
            if kind == "nan":
                hdus[0].data[3, 4] = np.nan
            else:
                hdus[0].header["CDELT2"] = -1.0
            hdus.writeto(path, overwrite=True)
    with pytest.raises(ValueError, match=r"sn\.fits"):
        read_image(path)


def test_salts_colour_law_is_zero_at_b_one_at_v_and_straight_beyond_its_limits(made_up, tmp_path):
    made_up.write_salt(tmp_path)
    salt = read_salt(tmp_path)
    np.testing.assert_allclose(salt.colour_law(np.array([4302.57, 5428.55])), [0, -1], atol=1e-12)
    beyond = salt.colour_law(np.array([8000.0, 8500.0, 9000.0, 9500.0]))
    np.testing.assert_allclose(np.diff(beyond, 2), 0, atol=1e-12)
    inside = salt.colour_law(np.array([3000.0, 4000.0, 5000.0]))
    assert abs(np.diff(inside, 2)[0]) > 1e-3


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda text: text.replace("version 1", "version 0"), "colour law of version 1"),
        (lambda text: text.replace("-0.5", "nan"), "finite coefficients"),
        (lambda text: text.replace("2\n", "3\n", 1), "no colour law"),
        (lambda text: text.replace("2\n", "2000000000\n", 1), "2000000000 coefficients"),
        (lambda text: text.replace("Salt2ExtinctionLaw.max_lambda 8000", ""), "no colour law"),
        (lambda text: "", "no colour law"),
    ],
)
def test_a_damaged_colour_law_is_refused(made_up, tmp_path, change, said):
    made_up.write_salt(tmp_path)
    path = tmp_path / "salt3_color_correction.dat"
    path.write_text(change(path.read_text()))
    with pytest.raises(ValueError, match=said):
        read_salt(tmp_path)


def test_salts_surfaces_must_go_together(made_up, tmp_path):
    made_up.write_salt(tmp_path)
    made_up.write_text(tmp_path / "salt3_template_1.dat")
    with pytest.raises(ValueError, match="not the same phases and wavelengths"):
        read_salt(tmp_path)


def test_a_grid_of_kilonovae_is_read(made_up, tmp_path):
    arrays = made_up.kilonovae()
    arrays["log10_L_lambda"][2, 4] = 30.0
    np.savez(tmp_path / "kn.npz", **arrays)
    found = read_kilonovae(tmp_path / "kn.npz")
    assert found.name[:2] == ("model-0", "model-1")
    assert (found.luminosity[2, 4] == 0).all()
    np.testing.assert_allclose(np.log10(found.luminosity[1]), arrays["log10_L_lambda"][1], rtol=1e-6)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"model": np.array([{} for _ in range(24)], dtype=object)}, "no grid of kilonovae.*allow_pickle"),
        ({"model": np.arange(24)}, "do not fit together"),
        ({"mass_msun": np.ones(3)}, "do not fit together"),
        ({"log10_L_lambda": np.zeros((24, 22))}, "do not fit together"),
        ({"log10_L_lambda": np.full((24, 22, 40), 400.0)}, "reaches 400"),
        ({"log10_L_lambda": np.full((24, 22, 40), np.nan)}, "21120 values of log10_L_lambda are not finite"),
        ({"time_days": np.zeros(22)}, "phases do not rise"),
        ({"x_lan": np.array(["a"] * 24)}, "x_lan holds no numbers"),
        ({"x_lan": None}, "no grid of kilonovae.*x_lan"),
    ],
)
def test_a_hostile_grid_of_kilonovae_is_refused(made_up, tmp_path, change, said):
    arrays = {name: values for name, values in (made_up.kilonovae() | change).items() if values is not None}
    np.savez(tmp_path / "kn.npz", **arrays)
    with pytest.raises(ValueError, match=said):
        read_kilonovae(tmp_path / "kn.npz")


def test_a_cut_or_swollen_file_of_kilonovae_is_refused(made_up, tmp_path, monkeypatch):
    path = tmp_path / "kn.npz"
    np.savez_compressed(path, **made_up.kilonovae(), more=np.zeros(2**20))
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(ValueError, match="no npz file"):
        read_kilonovae(path)
    path.write_bytes(whole)
    read_kilonovae(path)
    monkeypatch.setattr("telperion.simulate.spectra.LARGEST", 2**22)
    with pytest.raises(ValueError, match="unpacks to"):
        read_kilonovae(path)


def test_spectra_must_fit_their_axes():
    with pytest.raises(ValueError, match="for 3 phases and 2 wavelengths"):
        Series(np.arange(3.0), np.array([1.0, 2.0]), np.zeros((2, 2)))
    with pytest.raises(ValueError, match="first wavelength is 0"):
        Series(np.arange(2.0), np.array([0.0, 2.0]), np.zeros((2, 2)))
