"""Light curves of stars: what is right is read as it stands, what is wrong is refused with its name."""

import numpy as np
import pytest

from telperion.simulate.lclib import read_cycles, read_events, read_outburst


def test_cycles_are_read_without_their_ends(made_up, tmp_path):
    path = tmp_path / "stars.lclib"
    made_up.write_cycles(path, "gri", n=3, points=17)
    names, period, magnitude = read_cycles(path, "gri")
    assert names == ["1000", "1001", "1002"]
    np.testing.assert_allclose(period, [0.5, 0.55, 0.6])
    assert magnitude.shape == (3, 3, 16)
    np.testing.assert_allclose(magnitude[1, 0], 16 + 0.4 * np.cos(2 * np.pi * np.arange(16) / 16), atol=6e-4)


def test_events_have_a_template_row(made_up, tmp_path):
    made_up.write_flares(tmp_path / "flares.TEXT", n=3)
    events = read_events(tmp_path / "flares.TEXT", "ugrizY")
    assert [len(event.time) for event in events] == [6, 7, 8]
    np.testing.assert_allclose(events[1].quiet, [22.2, 20.2, 18.8, 18.2, 17.8, 17.6])
    np.testing.assert_array_equal(events[1].quiet, events[1].magnitude[0])


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda text: text[: len(text) // 2], "event 1 is cut short"),
        (lambda text: text.replace("END_EVENT: 1", "END_EVENT: 2"), "event 1 is cut short or damaged"),
        (lambda text: text.replace("NROW: 17", "NROW: 18", 1), "event 0 is cut short or damaged .*17 rows"),
        (lambda text: text.replace("16.400", "nan", 1), "event 0 has times that do not rise, or numbers"),
        (lambda text: text.replace("16.400", "99.0", 1), "event 0 has times that do not rise, or numbers"),
        (lambda text: text.replace("S: 0.0", "S: 9.0", 1), "event 0 has times"),
        (lambda text: text.replace("S: 0.0", "S: 0.0 1.0", 1), "event 0 is cut short or damaged"),
        (lambda text: text.replace("1000,0.5", "1000,5.5"), "event 0 is not one cycle of 5.5 days"),
        (lambda text: text.replace("1000,0.5", "1000"), "cycles have"),
        (lambda text: text.replace("FILTERS: gri", "FILTERS: ugr"), "no library of light curves in gri"),
        (lambda text: "", "no library of light curves in gri"),
    ],
)
def test_a_damaged_library_is_refused(made_up, tmp_path, change, said):
    path = tmp_path / "stars.lclib"
    made_up.write_cycles(path, "gri", n=3)
    path.write_text(change(path.read_text()))
    with pytest.raises(ValueError, match=said) as raised:
        read_cycles(path, "gri")
    assert "stars.lclib" in str(raised.value)


def test_an_outburst_is_read(made_up, tmp_path):
    made_up.write_outburst(tmp_path / "dn.csv", amplitude=3.0)
    found = read_outburst(tmp_path / "dn.csv")
    assert found.shape == (120,)
    assert np.ptp(found) == pytest.approx(3.0)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "0 magnitudes"),
        ("t,m\n" + "1,2\n" * 50, "no table with a column m_abs_g"),
        ("t,m_abs_g\n" + "1,2\n" * 10, "10 magnitudes"),
        ("t,m_abs_g\n" + "1,2\n" * 50 + "1\n", "no table"),
        ("t,m_abs_g\n" + "1,2\n" * 50 + "1,nan\n", "51 magnitudes, expected 20 or more that are finite"),
    ],
)
def test_a_damaged_outburst_is_refused(tmp_path, text, said):
    (tmp_path / "dn.csv").write_text(text)
    with pytest.raises(ValueError, match=said):
        read_outburst(tmp_path / "dn.csv")
