"""Template files made up by formula, in the formats of the real ones."""

import numpy as np
from astropy.io import fits

from telperion.simulate.sources.collapsed import FAMILIES

PHASES = np.arange(-20.0, 81.0, 10.0)
WAVELENGTHS = np.arange(2000.0, 11001.0, 150.0)
LEVEL = 0.15  # erg/s/cm^2/Angstrom at 10 pc of absolute magnitude -19 at 5,500 Angstrom, nearly


def light(phase, wavelength, magnitude=-18.0, rise=8.0, fall=25.0):
    """A supernova: brightest on day zero in all wavelengths, its f_lambda as the wavelength to the minus two."""
    course = np.where(phase < 0, np.exp(-((phase / rise) ** 2) / 2), np.exp(-phase / fall))
    return LEVEL * 10 ** (-0.4 * (magnitude + 19)) * course[:, None] * (wavelength / 5500.0) ** -2.0


def write_text(path, phase=PHASES, wavelength=WAVELENGTHS, flux=None, header="# made up\n"):
    path.parent.mkdir(parents=True, exist_ok=True)
    flux = light(phase, wavelength) if flux is None else flux
    table = np.stack([*np.meshgrid(phase, wavelength, indexing="ij"), flux], axis=2).reshape(-1, 3)
    with open(path, "w", encoding="ascii") as file:
        file.write(header)
        np.savetxt(file, table, fmt="%.6g")


def write_image(path, first, step=1.0, n_days=90):
    day = first + step * np.arange(n_days)
    length = 1000.0 + 100.0 * np.arange(241)
    values = light(day - (0 if first < 0 else 14), length).astype(np.float32) * 1e-9
    header = {"CRPIX1": 1, "CRVAL1": 1000.0, "CDELT1": 100.0, "CRPIX2": 1, "CRVAL2": first, "CDELT2": step}
    fits.PrimaryHDU(values, fits.Header(header)).writeto(path)


def write_salt(folder):
    mean = light(np.arange(-20.0, 51.0, 5.0), WAVELENGTHS, -19.36)
    for k, flux in enumerate([mean, 0.05 * mean]):
        write_text(folder / f"salt3_template_{k}.dat", np.arange(-20.0, 51.0, 5.0), WAVELENGTHS, flux, header="")
    lines = ["2", "-0.5", "0.3"] + [
        f"Salt2ExtinctionLaw.{name}" for name in ("version 1", "min_lambda 2800", "max_lambda 8000")
    ]
    (folder / "salt3_color_correction.dat").write_text("\n".join(lines) + "\n")


def kilonovae(n=24):
    """Arrays of a grid: brighter with mass, red where there are lanthanides."""
    day, length = np.concatenate([[0.1, 0.3], np.arange(1.0, 21.0)]), 2000 * 12.5 ** ((np.arange(40) + 0.5) / 40)
    mass, lanthanides = np.resize([0.01, 0.03], n), np.resize([1e-9, 1e-4, 1e-2], n)
    red = np.where(lanthanides > 1e-3, 8000.0, 3000.0)
    course = -0.15 * np.abs(day - 1.0)
    light = 37 + np.log10(mass / 0.01)[:, None, None] + course[:, None] - np.abs(np.log(length / red[:, None, None]))
    return {
        "log10_L_lambda": light.astype(np.float32), "time_days": day, "wavelength_A": length, "mass_msun": mass,
        "velocity_c": np.resize([0.1, 0.2, 0.03, 0.2], n), "x_lan": lanthanides,
        "model": np.array([f"model-{k}" for k in range(n)]),
    }  # fmt: skip


def write_cycles(path, bands, n=6, points=17, period=0.5):
    lines = ["SURVEY: none", f"FILTERS: {bands}", ""]
    for k in range(n):
        own = period * (1 + 0.1 * k)
        phase = np.linspace(0, 1, points)
        rows = [16 + 0.1 * b + 0.4 / (1 + 0.3 * b) * np.cos(2 * np.pi * phase) for b in range(len(bands))]
        lines += [f"START_EVENT: {k}", f"NROW: {points} RA: 1 DEC: 2", f"PARVAL: {1000 + k},{own:g}"]
        lines += [
            f"S: {own * phase[j]:.4f} " + " ".join(f"{row[j]:.3f}" for row in rows) for j in range(points)
        ] + [f"END_EVENT: {k}", ""]  # fmt: skip
    path.write_text("\n".join(lines))


def write_flares(path, n=8):
    lines = ["FILTERS: ugrizY", "#----"]
    for k in range(n):
        rows = 6 + k
        quiet = np.array([22.0, 20.0, 18.6, 18.0, 17.6, 17.4]) + 0.2 * k
        lines += [f"START_EVENT: {k}", f"NROW: {rows} l: 1. b: 2.", "PARVAL: 1 2 3", "ANGLEMATCH_b: 5"]
        for j in range(rows):
            strong = 2.0 * np.exp(-j / 3) * (0 < j < rows - 1)
            extra = strong * np.array([1.5, 0.6, 0.25, 0.12, 0.06, 0.04])
            row = " ".join(f"{value:10.3f}" for value in quiet - extra)
            lines.append(f"{'S' if j else 'T'}: {100 + 0.02 * j:.5f} {row}")
        lines += [f"END_EVENT: {k}", "#----"]
    path.write_text("\n".join(lines) + "\n")


def write_outburst(path, amplitude=3.0, n=120):
    day = np.arange(n) / 10
    below = np.where(day < 2, 1.0, np.where(day < 3, 3 - day, 0.0)) + np.maximum(day - 8, 0) / 10
    rows = [f"1.0,{13.45 + amplitude * value:.6f}" for value in below]
    path.write_text("\n".join(["L_g,m_abs_g", *rows]) + "\n")


def write_all(folder):
    """Write every kind of template file, in folders like those of the real ones."""
    models = folder / "sncosmo" / "models"
    for k, member in enumerate(member for family in FAMILIES.values() for member in family.members):
        flux = light(PHASES, WAVELENGTHS, -17.0 - 0.05 * k, fall=20.0 + k)
        write_text(models / member, flux=flux)
    write_salt(models / "salt3")
    others = folder / "templates"
    (others / "outbursts").mkdir(parents=True)
    write_image(others / "Hsiao_SED_V3.fits", -20.0)
    write_image(others / "Nugent_91bg_SED.fits", 1.0)
    np.savez(others / "kasen2017.npz", **kilonovae())
    for name, bands in (("rr_lyrae", "gri"), ("cepheid", "gri"), ("delta_scuti", "gri"), ("ellipsoidal", "gr")):
        write_cycles(others / f"ztf_{name}.lclib", bands)
    write_flares(others / "mdwarf_flare_sample.TEXT")
    for k in range(5):
        write_outburst(others / "outbursts" / f"DN-{k}_luminosity.csv", 2.0 + 0.5 * k)
    write_outburst(others / "outbursts" / "DN-flat_luminosity.csv", 0.1)
