"""The cockpit's web server: a page, its recordings, and a socket for every page that is open."""

from __future__ import annotations

import contextlib
import ctypes
import logging
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from importlib import resources
from pathlib import Path

from fastapi import FastAPI, Request, Response, WebSocket
from fastapi.responses import FileResponse, PlainTextResponse, RedirectResponse

from .catalogue import Catalogue
from .connection import Connection, Workers, hello, refuse
from .guard import COOKIE, QUERY, Guard
from .limits import Limits
from .protocol import BUSY, POLICY, Violation
from .session import Session

log = logging.getLogger(__name__)

KINDS = {"html": "text/html", "css": "text/css", "js": "text/javascript", "svg": "image/svg+xml"}
ASSETS = {
    entry.name: entry.read_bytes() for entry in resources.files("agents.cockpit").joinpath("page").iterdir()
    if entry.name.rpartition(".")[2] in KINDS
}  # fmt: skip


class Cockpit:
    """All sessions of one server, and what they share."""

    def __init__(
        self, catalogue: Catalogue, out: Path, guard: Guard, limits: Limits, passes: int = 4, seed: int | None = None
    ) -> None:
        self.catalogue, self.out, self.guard, self.limits = catalogue, out, guard, limits
        self.passes, self.seed = passes, seed
        self.workers = Workers(ThreadPoolExecutor(1, "steps"), ThreadPoolExecutor(1, "wishes"))
        self.sessions: set[Session] = set()

    async def serve(self, socket: WebSocket) -> None:
        """One page, from its coming to its leaving."""
        await socket.accept()
        if why := self.guard.refusal(socket, from_page=True):
            return await refuse(socket, Violation(POLICY, why))
        if len(self.sessions) >= self.limits.sessions:
            full = f"{self.limits.sessions} drives are open, which is all there is room for: close one"
            return await refuse(socket, Violation(BUSY, full))
        session = Session(self.catalogue, self.limits, self.out, self.passes, self.seed)
        self.sessions.add(session)
        try:
            await socket.send_json(hello(session, self.limits))
            await Connection(socket, session, self.workers, self.limits).run()
        except Violation as violation:
            await refuse(socket, violation)
        except Exception:
            log.exception("a session failed")
            await refuse(socket, Violation(1011, "the session failed; the terminal says why"))
        finally:
            self.sessions.discard(session)
            with contextlib.suppress(RuntimeError):  # the server itself is ending
                self.workers.wishes.submit(end, session)

    def close(self) -> None:
        """Let the threads end."""
        self.workers.steps.shutdown(wait=False, cancel_futures=True)
        self.workers.wishes.shutdown(wait=False, cancel_futures=True)


def end(session: Session) -> None:
    """Close a session whose page has left, and hand its memory to the system: the C library would keep it for later."""
    try:
        session.close()
    except Exception:
        log.exception("a session did not end well")
    with contextlib.suppress(OSError, AttributeError):  # not glibc
        ctypes.CDLL(None).malloc_trim(0)


def make_app(cockpit: Cockpit) -> FastAPI:
    """The routes; nothing but them is served."""

    @contextlib.asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        yield
        cockpit.close()

    app = FastAPI(docs_url=None, redoc_url=None, openapi_url=None, lifespan=lifespan)

    @app.middleware("http")
    async def guarded(request: Request, call_next):  # type: ignore[no-untyped-def]
        if why := cockpit.guard.refusal(request, from_page=False):
            return PlainTextResponse(why + "\n", status_code=403)
        response = await call_next(request)
        response.headers.update(_headers(request.headers.get("host", "")))
        return response

    @app.get("/")
    async def index(request: Request) -> Response:
        if QUERY in request.query_params:  # keep the token out of the address bar, and in a cookie
            response = RedirectResponse("/", status_code=303)
            response.set_cookie(COOKIE, request.query_params[QUERY], httponly=True, samesite="strict")
            return response
        return Response(ASSETS["index.html"], media_type=KINDS["html"])

    @app.get("/page/{name}")
    async def asset(name: str) -> Response:
        if name not in ASSETS:
            return PlainTextResponse("there is no such file\n", status_code=404)
        return Response(ASSETS[name], media_type=KINDS[name.rpartition(".")[2]])

    @app.get("/recordings/{name}")
    async def recording(name: str) -> Response:
        known = {path.name: path for path in cockpit.out.glob("*.mp4")}
        if name not in known:
            return PlainTextResponse("there is no such recording\n", status_code=404)
        return FileResponse(known[name], media_type="video/mp4", filename=name)

    @app.websocket("/drive")
    async def drive(socket: WebSocket) -> None:
        await cockpit.serve(socket)

    return app


def _headers(host: str) -> dict[str, str]:
    """The page may load from this server alone, and stand in no other page."""
    policy = {
        "default-src": "'none'", "script-src": "'self'", "style-src": "'self'", "img-src": "'self' blob: data:",
        "connect-src": f"'self' ws://{host} wss://{host}", "media-src": "'self'", "base-uri": "'none'",
        "form-action": "'none'", "frame-ancestors": "'none'",
    }  # fmt: skip
    return {
        "Content-Security-Policy": "; ".join(f"{key} {value}" for key, value in policy.items()),
        "X-Content-Type-Options": "nosniff",
        "Referrer-Policy": "no-referrer",
        "Cross-Origin-Resource-Policy": "same-origin",
        "Cache-Control": "no-store",
    }
