"""Signing in: a cookie that only the token gives, and a way on that stays here."""

import pytest
from tests.portal.portals import client_of

from telperion.portal.login import COOKIE, cookie_of, knows_token, local_path
from telperion.serve.sky import Sky

TOKEN = "a long secret"


def test_the_right_token_opens_and_the_wrong_does_not(sky_folder, model):
    with client_of(Sky(sky_folder), model, token=TOKEN) as client:
        assert client.post("/login", data={"token": "wrong", "to": "/"}).status_code == 403
        assert COOKIE not in client.cookies
        answer = client.post("/login", data={"token": TOKEN, "to": "/model"})
        assert (answer.status_code, answer.headers["location"]) == (303, "/model")
        about = answer.headers["set-cookie"].lower()
        assert "httponly" in about
        assert "samesite=strict" in about
        assert TOKEN not in about
        assert client.get("/").status_code == 200
        client.post("/logout")
        client.cookies.clear()
        assert client.get("/").status_code == 303


@pytest.mark.parametrize(
    "form", ["", "token", "&" * 50, "token=" + "%ff" * 20, "to=//evil.example&token=a+long+secret"]
)
def test_a_form_that_nobody_filled_in_harms_nothing(sky_folder, model, form):
    with client_of(Sky(sky_folder), model, token=TOKEN) as client:
        answer = client.post("/login", content=form)
        assert answer.status_code in (303, 403)
        assert answer.headers.get("location", "/") == "/"


@pytest.mark.parametrize(
    "to", ["//evil.example", "https://evil.example", "/\\evil.example", "/\t/evil", "evil", "", "/a\\b"]
)
def test_the_way_on_after_signing_in_stays_here(to):
    assert local_path(to) == "/"


def test_a_cookie_of_another_token_is_of_no_use():
    assert knows_token({"cookie": f"{COOKIE}={cookie_of(TOKEN)}"}, TOKEN)
    assert not knows_token({"cookie": f"{COOKIE}={cookie_of('another')}"}, TOKEN)
    assert not knows_token({"cookie": f"{COOKIE}=\xe9;;=,"}, TOKEN)
