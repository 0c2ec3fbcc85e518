"""Signing in with the token, once a browser."""

from __future__ import annotations

from urllib.parse import parse_qs

from fastapi import APIRouter, Query, Request
from fastapi.responses import RedirectResponse, Response

from telperion.portal.login import COOKIE, LOGIN, cookie_of, local_path, same
from telperion.portal.site import Site
from telperion.portal.templating import render


def router(site: Site) -> APIRouter:
    """Give the addresses of signing in."""
    made = APIRouter()

    @made.get(LOGIN)
    def page(to: str = Query("/", max_length=2000)) -> Response:
        """Ask for the token."""
        return render(site, "login.html", here="", to=local_path(to), wrong=False)

    @made.post(LOGIN)
    async def sign_in(request: Request) -> Response:
        """Look at the token that was given."""
        try:
            form = parse_qs((await request.body()).decode("utf-8", "replace"), max_num_fields=5)
        except ValueError:  # more fields than the form has
            form = {}
        to = local_path(form.get("to", ["/"])[0])
        token = site.settings.token
        if not token or not same(form.get("token", [""])[0], token):
            return render(site, "login.html", status=403, here="", to=to, wrong=True)
        answer = RedirectResponse(to, 303)
        secure = request.url.scheme == "https"
        answer.set_cookie(COOKIE, cookie_of(token), httponly=True, samesite="strict", secure=secure)
        return answer

    @made.post("/logout")
    def sign_out() -> Response:
        """Forget that the browser knows the token."""
        answer = RedirectResponse(LOGIN, 303)
        answer.delete_cookie(COOKIE)
        return answer

    return made
