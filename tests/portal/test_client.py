"""The client against a portal that is served."""

from pathlib import Path

import pytest
from tests.portal.portals import HOSTILE, serving

from telperion.portal.client import Portal, PortalError
from telperion.serve.sky import Sky


def test_three_lines_are_enough(address):
    names = [found["object_id"] for found in Portal(address).objects()]
    assert len(names) == len(set(names)) == Portal(address).about()["objects"]
    assert [f["object_id"] for f in Portal(address).objects(most=3)] == names[:3]


def test_any_name_is_asked_for_as_it_is(address):
    for name in HOSTILE:
        assert Portal(address).object(name)["object_id"] == name


def test_what_is_wrong_is_an_error_with_its_reason(address):
    with pytest.raises(PortalError, match="no such object") as caught:
        Portal(address).object("none")
    assert caught.value.status == 404
    with pytest.raises(PortalError) as caught:
        Portal(address).classify("time,band,flux,flux_err\n1,q,1,1\n")
    assert caught.value.faults[0]["line"] == 2
    with pytest.raises(PortalError, match="does not answer"):
        Portal("http://127.0.0.1:9").about()
    with pytest.raises(ValueError, match="expected http"):
        Portal("file:///etc/passwd")


def test_a_file_is_classified(address, tmp_path):
    path = Path(tmp_path / "mine.csv")
    path.write_text("time,band,flux,flux_err\n" + "".join(f"{61000 + 2 * k},r,{200 + 100 * k},20\n" for k in range(6)))
    (found,) = Portal(address).classify(path)
    assert found["answers"][-1]["n_rows"] == 6


def test_a_token_opens(sky_folder, model):
    with serving(Sky(sky_folder), model, token="a long secret") as address:
        assert Portal(address, "a long secret").about()["sky"]
        with pytest.raises(PortalError, match="token"):
            Portal(address, "wrong secret").about()
