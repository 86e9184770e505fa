"""HTTP/1.1 for the sandbox Zulip: requests read into values, answers in one piece, a server that stops."""

from __future__ import annotations

import base64
import binascii
import json
import re
import socket
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cached_property
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, NamedTuple
from urllib.parse import parse_qsl, unquote, urlsplit

from lms_bot.sandbox.zulip.refusals import ConnectionLost, Refusal, unauthorized

HOST = "127.0.0.1"
MAX_BODY_BYTES = 80 * 1024 * 1024
API = "/api/v1/"


class UploadedFile(NamedTuple):
    name: str
    content: bytes


@dataclass
class Request:
    method: str
    target: str
    headers: Any
    body: bytes

    @cached_property
    def url_path(self) -> str:
        return unquote(urlsplit(self.target).path)

    @cached_property
    def path(self) -> str:
        """What comes after /api/v1/, as in "users/me"; any other path as it is, with its first slash."""
        return self.url_path.removeprefix(API)

    @cached_property
    def params(self) -> dict[str, str]:
        """Parameters of the query string and of a form in the body."""
        pairs = parse_qsl(urlsplit(self.target).query, keep_blank_values=True)
        if self.headers.get("Content-Type", "").startswith("application/x-www-form-urlencoded"):
            pairs += parse_qsl(self.body.decode("utf-8", "replace"), keep_blank_values=True)
        return dict(pairs)

    @cached_property
    def credentials(self) -> tuple[str, str]:
        """E-mail and API key of the basic authentication, else a refusal."""
        scheme, _, encoded = self.headers.get("Authorization", "").partition(" ")
        if not scheme:
            raise unauthorized("Not logged in: API authentication or user session required")
        if scheme.casefold() != "basic":
            raise Refusal("This endpoint requires HTTP basic authentication.")
        try:
            email, found, api_key = base64.b64decode(encoded, validate=True).decode().partition(":")
        except (binascii.Error, UnicodeDecodeError):
            found = ""
        if not found:
            raise unauthorized("Invalid authorization header for basic auth")
        return email, api_key

    @cached_property
    def files(self) -> list[UploadedFile]:
        """Files of a multipart form."""
        kind, _, rest = self.headers.get("Content-Type", "").partition(";")
        if kind.strip() != "multipart/form-data" or "boundary=" not in rest:
            return []
        boundary = b"--" + rest.partition("boundary=")[2].strip().strip('"').encode()
        parts = self.body.split(boundary)[1:-1]
        return [file for part in parts if (file := _read_part(part[2:-2])) is not None]


_FILE_NAME = re.compile(r"filename\*=utf-8''(?P<encoded>[^\s;]+)|filename=\"(?P<plain>[^\"]*)\"", re.I)


def _read_part(part: bytes) -> UploadedFile | None:
    head, _, content = part.partition(b"\r\n\r\n")
    found = _FILE_NAME.search(head.decode("utf-8", "replace"))
    return UploadedFile(unquote(found["encoded"] or found["plain"]), content) if found else None


@dataclass
class Answer:
    """`is_cut`: only half of the body is sent before the connection is closed."""

    status: int
    body: bytes
    content_type: str = "application/json"
    headers: dict[str, str] = field(default_factory=dict)
    is_cut: bool = False

    @classmethod
    def of_json(cls, body: Any, *, status: int = 200, **more: Any) -> Answer:
        return cls(status, json.dumps(body).encode(), **more)

    @classmethod
    def of_html(cls, text: str, *, status: int) -> Answer:
        return cls(status, text.encode(), "text/html; charset=utf-8")

    def to_bytes(self) -> bytes:
        headers = {"Content-Type": self.content_type, "Content-Length": len(self.body), **self.headers}
        head = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
        body = self.body[: len(self.body) // 2] if self.is_cut else self.body
        return f"HTTP/1.1 {self.status} {_PHRASES.get(self.status, '')}\r\n{head}\r\n".encode() + body


_PHRASES = {status.value: status.phrase for status in HTTPStatus}
Respond = Callable[[Request], Answer]


class Connection(BaseHTTPRequestHandler):
    """One kept-alive connection of one client."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: HttpServer

    def handle(self) -> None:
        try:
            super().handle()
        except (ConnectionError, ConnectionLost, ValueError):  # ValueError: the file of a closed socket
            self.close_connection = True

    def _serve(self) -> None:
        if not self.server.accepts():
            raise ConnectionLost
        length = int(self.headers.get("Content-Length", 0))
        if length > MAX_BODY_BYTES:
            self.close_connection = True
            answer = Answer(413, b"<html><title>413 Request Entity Too Large</title></html>", "text/html")
        else:
            answer = self.server.respond(
                Request(self.command, self.path, self.headers, self.rfile.read(length) if length else b"")
            )
        self.wfile.write(answer.to_bytes())
        if answer.is_cut:
            self.close_connection = True

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = _serve

    def log_message(self, format: str, *args: Any) -> None:
        """Nothing on stderr: what was asked is in `SandboxZulip.requests`."""


class HttpServer(ThreadingHTTPServer):
    """
    A server bound from the start, so that its port is known and taken, that listens only after `start()`.

    `respond` makes the answer to a request; `accepts` is asked at each new connection and each request,
    and closes the connection at once by saying no.
    """

    daemon_threads = True
    request_queue_size = 128

    def __init__(self, port: int, respond: Respond, accepts: Callable[[], bool]) -> None:
        super().__init__((HOST, port), Connection, bind_and_activate=False)
        self.respond = respond
        self.accepts = accepts
        self._connections: dict[threading.Thread, socket.socket] = {}
        self._connections_lock = threading.Lock()
        self._accepting: threading.Thread | None = None
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.socket.bind((HOST, port))
        self.server_address = self.socket.getsockname()
        self.port: int = self.server_address[1]
        self._thread_name = f"sandbox-zulip-{self.port}"

    def start(self) -> None:
        self.server_activate()
        self._accepting = threading.Thread(
            target=self.serve_forever, args=(0.02,), name=self._thread_name, daemon=True
        )
        self._accepting.start()

    def stop(self) -> None:
        """Close the door and every connection, and wait until no thread is left."""
        if self._accepting is not None:
            self.shutdown()
            self._accepting.join()
        self.server_close()
        with self._connections_lock:
            connections = list(self._connections.items())
        for thread, connection in connections:
            with suppress(OSError):  # the client may have been faster
                connection.shutdown(socket.SHUT_RDWR)
            thread.join()

    def verify_request(self, _request: Any, _client_address: Any) -> bool:
        return self.accepts()

    def process_request(self, request: Any, client_address: Any) -> None:
        thread = threading.Thread(
            target=self._serve_connection, args=(request, client_address), name=self._thread_name, daemon=True
        )
        with self._connections_lock:
            self._connections[thread] = request
        thread.start()

    def _serve_connection(self, request: Any, client_address: Any) -> None:
        self.process_request_thread(request, client_address)
        with self._connections_lock:
            del self._connections[threading.current_thread()]
