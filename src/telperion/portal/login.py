"""The token: in a header for programs, in a cookie for browsers, which a page asks for once."""

from __future__ import annotations

import hmac
from hashlib import sha256
from http.cookies import CookieError, SimpleCookie

LOGIN = "/login"
COOKIE = "telperion"


def cookie_of(token: str) -> str:
    """Give what a browser keeps in place of the token itself.

    Examples
    --------
    >>> len(cookie_of("a long secret")), cookie_of("a long secret") == cookie_of("another secret")
    (64, False)
    """
    return hmac.new(token.encode(), b"telperion portal: signed in", sha256).hexdigest()


def same(given: str, expected: str) -> bool:
    """Compare two secrets in a time that does not tell where they differ."""
    return hmac.compare_digest(given.encode("utf-8", "surrogateescape"), expected.encode())


def knows_token(headers: dict[str, str], token: str) -> bool:
    """Say whether a request's headers hold the token (``Authorization: Bearer``, ``X-Token``) or the cookie made of it.

    Examples
    --------
    >>> knows_token({"authorization": "Bearer a long secret"}, "a long secret")
    True
    >>> knows_token({"x-token": "wrong"}, "a long secret"), knows_token({}, "a long secret")
    (False, False)
    """
    scheme, _, given = headers.get("authorization", "").partition(" ")
    if scheme.lower() == "bearer" and same(given.strip(), token):
        return True
    if same(headers.get("x-token", ""), token):
        return True
    try:
        cookie = SimpleCookie(headers.get("cookie", "")).get(COOKIE)
    except CookieError:
        return False
    return cookie is not None and same(cookie.value, cookie_of(token))


def local_path(to: str) -> str:
    """Give where to go after signing in, if that is a page of ours; else the first page.

    Examples
    --------
    >>> local_path("/object?id=a"), local_path("//evil.example"), local_path("https://evil.example")
    ('/object?id=a', '/', '/')
    """
    plain = to.startswith("/") and not to.startswith(("//", "/\\")) and "\\" not in to and to.isprintable()
    return to if plain else "/"
