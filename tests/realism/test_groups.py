from telperion.encode.statistics import ANY_PHASE, feature_names
from telperion.realism.groups import GROUPS, group

NAMES = feature_names(ANY_PHASE)


def test_every_feature_has_a_group_and_every_group_features():
    assert {group(name) for name in NAMES} == set(GROUPS)


def test_cadence_and_noise_are_told_from_what_the_light_does():
    assert group("structure.rms_within_night") == "cadence"
    assert group("brightness.median_log_error_y") == "noise"
    assert group("structure.detected_span") == group("structure.days_since_detection") == "detections"
    assert group("rest_shape.U_B_+10_photoz") == group("shape.g_r_now") == "colours"
    assert group("host.peak_absolute_i_photoz") == group("rest_shape.absolute_V_photoz") == "brightness"
    assert group("host.z_photoz") == group("host.hostgal_photoz_err") == "host"
    assert group("shape.drop_+20_i") == group("host.rest_peak_photoz") == "shape"
