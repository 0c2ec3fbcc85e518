"""What the portal refuses before it starts."""

import pytest

from telperion.portal.settings import Settings


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.1.4", "portal.example", ""])
def test_other_machines_are_answered_only_with_a_token_or_openly(host):
    with pytest.raises(ValueError, match="answers other machines"):
        Settings(host=host)
    assert not Settings(host=host, token="a long secret").loopback
    assert Settings(host=host, open=True).open


@pytest.mark.parametrize("host", ["127.0.0.1", "127.8.8.8", "localhost", "::1", "[::1]"])
def test_this_machine_alone_needs_neither(host):
    assert Settings(host=host).loopback


@pytest.mark.parametrize(
    ("setting", "why"),
    [
        ({"port": 70_000}, "port"),
        ({"token": "short"}, "5 characters"),
        ({"most_bytes": 0}, "most_bytes"),
        ({"rate": -1}, "rate"),
    ],
)
def test_what_cannot_be_is_said(setting, why):
    with pytest.raises(ValueError, match=why):
        Settings(**setting)


def test_an_address_is_no_name_that_could_be_bent_to_here():
    served = Settings(host="0.0.0.0", token="a long secret", names=("portal.example",))
    assert served.known_host("192.168.1.4:8765")
    assert served.known_host("[fe80::1]:8765")
    assert served.known_host("Portal.Example:8765")
    assert not served.known_host("evil.example")
    assert not Settings().known_host("192.168.1.4")
