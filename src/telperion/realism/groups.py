"""Features gathered by what they tell of: when it was looked, how deep, the host, and what the light does."""

from __future__ import annotations

import re

GROUPS = ("cadence", "noise", "host", "detections", "brightness", "colours", "shape")
"""What features tell of. Host: redshift, dust and host galaxy. Brightness: magnitudes, signal to noise, luminosities.
Shape: everything else, so rise, decline, scatter, periods."""

_PAIR = r"([ugrizy]_[ugrizy]|[UBVRI]_[UBVRI])_"
_RULES = (
    (
        "cadence",
        r"structure\.(rows|nights|span|days|longest_gap|median_interval|days_from_nondetection|\w+_within_\w+)",
    ),
    ("cadence", r"brightness\.(rows|days_since_last)_.|host\.rest_days_\w+"),
    ("noise", r"brightness\.median_log_error_."),
    ("host", r"host\.(z_\w+|mwebv|hostgal_\w+)"),
    ("detections", r"structure\.(\w*detect\w*|positive_share|negative_share)|host\.rest_span_\w+"),
    ("detections", r"brightness\.(detections|detected_share|negative_share)_."),
    ("colours", rf"\w+\.{_PAIR}\S+"),
    ("brightness", r"\w+\.\w*(mag_|absolute|snr|mean_flux|std_flux|amplitude)\w*"),
)


def group(feature: str) -> str:
    """Give the one of `GROUPS` that a feature belongs to.

    Examples
    --------
    >>> [group(name) for name in ("structure.rows", "colours.g_r_peak", "shape.fall_50_r", "host.absolute_photoz")]
    ['cadence', 'colours', 'shape', 'brightness']
    """
    return next((name for name, rule in _RULES if re.fullmatch(rule, feature)), "shape")
