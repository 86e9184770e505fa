"""The page's HTTP server: for this machine only, with nothing from elsewhere and nobody else let in."""

from __future__ import annotations

import errno
import json
import queue
import secrets
import threading
from collections.abc import Callable, Iterable
from contextlib import suppress
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

from lms_bot.sandbox.page.backend import OVER, PageBackend
from lms_bot.sandbox.page.trouble import CannotNow
from lms_bot.sandbox.page.zulip_client import ZulipAway, ZulipRefuses

HOST = "127.0.0.1"
PORTS = range(8765, 8865)
STATIC = Path(__file__).with_name("static")
CONTENT_TYPES = {
    ".html": "text/html; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
}
UPLOADS = "user_uploads/"
TOKEN_PLACE = b"{{token}}"
TOKEN_HEADER = "X-Demo-Token"
MAX_BODY_BYTES = 100_000
STILL_HERE_SECONDS = 10.0  # so often something is sent, to notice that nobody listens any more
SELF = "'self'"
POLICY = "; ".join(
    (
        "default-src 'none'",
        *(f"{kind}-src {SELF}" for kind in ("script", "style", "img", "connect")),
        *(f"{kind} 'none'" for kind in ("base-uri", "form-action", "frame-ancestors")),
    )
)
FILE_POLICY = "default-src 'none'; sandbox; frame-ancestors 'none'"  # an uploaded file opened by itself
HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-store",
}


class PageServer(ThreadingHTTPServer):
    """Serves the page of one backend on 127.0.0.1, on the first free port of `ports`, from `start()` on.

    OSError where all are taken.
    """

    daemon_threads = True
    block_on_close = False  # a page that stays open must not hold up the end

    def __init__(self, backend: PageBackend, ports: Iterable[int] = PORTS) -> None:
        self.backend = backend
        self.token = secrets.token_urlsafe(24)
        self._bind_first_free(ports)
        self.port: int = self.server_address[1]
        self.url = f"http://{HOST}:{self.port}/"
        self.own_hosts = frozenset(f"{name}:{self.port}" for name in (HOST, "localhost"))
        self._thread = threading.Thread(target=self.serve_forever, args=(0.05,), name="page", daemon=True)

    def _bind_first_free(self, ports: Iterable[int]) -> None:
        if not any(self._bind(port) for port in ports):
            raise OSError(errno.EADDRINUSE, "no port is free for the page")

    def _bind(self, port: int) -> bool:
        """False where somebody else has the port."""
        try:
            super().__init__((HOST, port), PageConnection)
        except OSError as error:
            if error.errno != errno.EADDRINUSE:
                raise
            return False
        return True

    def start(self) -> PageServer:
        self._thread.start()
        return self

    def close(self) -> None:
        """No more requests; the backend is to be closed by whoever made it."""
        self.shutdown()
        self._thread.join()
        self.server_close()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A browser that goes away in the middle of an answer is no news."""


class PageConnection(BaseHTTPRequestHandler):
    """One connection of a browser."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    timeout = 60
    server: PageServer

    def do_GET(self) -> None:
        if not self._is_for_us():
            return
        address = urlsplit(self.path)
        if address.path == "/feed":
            self._feed(parse_qs(address.query).get("person", [""])[0])
        elif address.path == "/school":
            self._send_json(self.server.backend.describe())
        elif address.path.startswith("/files/"):
            self._send_file(unquote(address.path.removeprefix("/files/")))
        else:
            self._send_static(address.path)

    def do_POST(self) -> None:
        if not self._is_for_us():
            return
        do = self._deeds().get(urlsplit(self.path).path)
        if do is None:
            self._refuse(HTTPStatus.NOT_FOUND, "There is nothing of that name here.")
            return
        if not secrets.compare_digest(self.headers.get(TOKEN_HEADER, "").encode(), self.server.token.encode()):
            self._refuse(HTTPStatus.FORBIDDEN, "This page is of an earlier demo: load it anew.")
            return
        try:
            self._send_json(do(self._read_wish()) or {})
        except CannotNow as error:
            self._refuse(HTTPStatus.CONFLICT, str(error))
        except ZulipAway:
            self._refuse(HTTPStatus.SERVICE_UNAVAILABLE, "Zulip is away: nobody can write now.")
        except (ZulipRefuses, KeyError, TypeError, ValueError) as error:
            self._refuse(HTTPStatus.BAD_REQUEST, str(error))

    def _deeds(self) -> dict[str, Callable[[dict[str, Any]], dict[str, Any] | None]]:
        backend = self.server.backend
        return {
            "/say": lambda wish: backend.say(wish["person"], str(wish["content"])),
            "/edit": lambda wish: backend.edit(wish["person"], int(wish["message"]), str(wish["content"])),
            "/source": lambda wish: {"content": backend.get_source(wish["person"], int(wish["message"]))},
            "/react": lambda wish: backend.react(
                wish["person"], int(wish["message"]), str(wish["emoji"]), bool(wish["is_on"])
            ),
            "/typing": lambda wish: backend.show_typing(wish["person"], bool(wish["is_on"])),
            "/act": lambda wish: {"act": backend.act(wish["student"], wish["verb"], wish["what"])},
            "/trouble": lambda wish: backend.make_trouble(wish["kind"], bool(wish["is_on"])),
        }

    def _is_for_us(self) -> bool:
        """Not under a foreign name that was pointed at this machine, nor sent by a page of another site."""
        own = self.server.own_hosts
        origin = self.headers.get("Origin")
        if self.headers.get("Host") in own and (origin is None or origin.removeprefix("http://") in own):
            return True
        self._refuse(HTTPStatus.FORBIDDEN, f"This page is at {self.server.url} only.")
        return False

    def _read_wish(self) -> dict[str, Any]:
        length = int(self.headers.get("Content-Length", 0))
        if length > MAX_BODY_BYTES:
            self.close_connection = True
            raise ValueError("that is too long")
        wish = json.loads(self.rfile.read(length))
        if not isinstance(wish, dict):
            raise TypeError("an object is wanted")
        return wish

    # ---- what is sent ----

    def _feed(self, person: str) -> None:
        """Server-sent events for as long as somebody listens: the whole first, then what comes to be."""
        backend = self.server.backend
        try:
            backend.get_client(person)
        except CannotNow as error:
            self._refuse(HTTPStatus.NOT_FOUND, str(error))
            return
        watcher = backend.watch()
        conversation = backend.converse(person, lambda kind, what: watcher.put((kind, what)))
        try:
            self.close_connection = True
            self._send_head(HTTPStatus.OK, "text/event-stream", {"Connection": "close"})
            self._send_events(watcher)
        except OSError:
            pass  # the browser went away
        finally:
            conversation.close()
            backend.stop_watching(watcher)

    def _send_events(self, watcher: queue.SimpleQueue[tuple[str, Any]]) -> None:
        self.wfile.write(b"retry: 500\n\n")
        while True:
            try:
                kind, what = watcher.get(timeout=STILL_HERE_SECONDS)
            except queue.Empty:
                self.wfile.write(b": still here\n\n")
                continue
            if kind == OVER:
                return
            self.wfile.write(f"event: {kind}\ndata: {json.dumps(what)}\n\n".encode())

    def _send_static(self, path: str) -> None:
        name = "index.html" if path == "/" else path.removeprefix("/")
        served = {file.name: file for file in STATIC.iterdir() if file.suffix in CONTENT_TYPES}
        if name not in served:
            self._refuse(HTTPStatus.NOT_FOUND, "There is nothing of that name here.")
            return
        body = served[name].read_bytes().replace(TOKEN_PLACE, self.server.token.encode())
        self._send(HTTPStatus.OK, CONTENT_TYPES[served[name].suffix], body)

    def _send_file(self, path: str) -> None:
        """`person/user_uploads/…`: as that person may see it in Zulip."""
        person, _, rest = path.partition("/")
        found = None
        if rest.startswith(UPLOADS):
            with suppress(CannotNow, ZulipAway):
                found = self.server.backend.get_client(person).fetch_file("/" + rest)
        if found is None:
            self._refuse(HTTPStatus.NOT_FOUND, "There is no such file for this person.")
            return
        more = {"Content-Disposition": found.disposition, "Content-Security-Policy": FILE_POLICY}
        self._send(HTTPStatus.OK, found.content_type, found.content, more)

    def _send_json(self, what: Any) -> None:
        self._send(HTTPStatus.OK, "application/json", json.dumps(what).encode())

    def _refuse(self, status: HTTPStatus, why: str) -> None:
        self.close_connection = True  # what was sent with it is not read
        self._send(status, "application/json", json.dumps({"error": why}).encode(), {"Connection": "close"})

    def send_error(self, code: int, message: str | None = None, _explain: str | None = None) -> None:
        """What the base class refuses: a method that is not there, a request that is none."""
        self._refuse(HTTPStatus(code), message or HTTPStatus(code).phrase)

    def _send(self, status: HTTPStatus, content_type: str, body: bytes, more: dict[str, str] | None = None) -> None:
        self._send_head(status, content_type, {"Content-Length": str(len(body)), **(more or {})})
        self.wfile.write(body)

    def _send_head(self, status: HTTPStatus, content_type: str, more: dict[str, str]) -> None:
        headers = {"Content-Type": content_type, "Content-Security-Policy": POLICY, **HEADERS, **more}
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()

    def version_string(self) -> str:
        return "lms-bot-demo"

    def log_message(self, format: str, *args: Any) -> None:
        """Nothing on stderr."""
