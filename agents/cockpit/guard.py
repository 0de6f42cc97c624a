"""Who may come in: the host that is asked for, the page that a request comes from, and the token.

A page of another site can make a browser connect to this machine; the origin tells. It can also give its own name this
machine's address (DNS rebinding); the host tells. Whoever is on the network can connect once the cockpit listens there;
then a token is asked for.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from ipaddress import ip_address
from urllib.parse import urlsplit

from starlette.requests import HTTPConnection

LOOPBACK = ("localhost", "127.0.0.1", "::1")
COOKIE, QUERY = "worldsim_token", "token"


def is_loopback(host: str) -> bool:
    """Whether only this machine reaches what listens there."""
    if host in LOOPBACK:
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False


def new_token() -> str:
    """One that nobody guesses."""
    return secrets.token_urlsafe(18)


@dataclass(frozen=True)
class Guard:
    """``token`` None: only loopback names are answered, and no token is asked for."""

    token: str | None = None

    def refusal(self, request: HTTPConnection, from_page: bool) -> str:
        """Why ``request`` is refused, or nothing. ``from_page``: it must come from the cockpit's own page."""
        host = request.headers.get("host", "")
        name = urlsplit(f"//{host}").hostname or ""
        if self.token is None and not is_loopback(name):
            return f"host {host[:60]!r}: expected this machine's own name, such as localhost"
        if from_page and not self._same_origin(request.headers.get("origin"), host):
            return "origin: expected the cockpit's own page"
        if not self._knows_token(request):
            return "token: open the whole address that the command printed"
        return ""

    @staticmethod
    def _same_origin(origin: str | None, host: str) -> bool:
        return origin in (f"http://{host}", f"https://{host}")

    def _knows_token(self, request: HTTPConnection) -> bool:
        if self.token is None:
            return True
        given = request.query_params.get(QUERY) or request.cookies.get(COOKIE) or ""
        return secrets.compare_digest(given.encode(), self.token.encode())
