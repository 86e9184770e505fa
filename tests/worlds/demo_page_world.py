"""Who speaks to the demo's page without a browser."""

from __future__ import annotations

import http.client
import json
import time
from contextlib import closing
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from lms_bot.sandbox.page.server import PageServer

PATIENCE_SECONDS = 60.0  # only a hang lasts longer


class Feed:
    """What the page is told of one person, read as a browser reads it."""

    def __init__(self, page: PageServer, person: str) -> None:
        self._connection = http.client.HTTPConnection("127.0.0.1", page.port, timeout=PATIENCE_SECONDS)
        self._connection.request("GET", f"/feed?person={person}")
        self._lines = self._connection.getresponse()

    def wait_for(self, kind: str, *words: str) -> Any:
        """The next thing of this kind whose JSON holds all these words."""
        heard, give_up_at, last = None, time.monotonic() + PATIENCE_SECONDS, ""
        while (line := self._lines.readline().decode()) and time.monotonic() < give_up_at:
            if line.startswith("event: "):
                heard = line.removeprefix("event: ").strip()
            elif line.startswith("data: ") and heard == kind and all(word in line for word in words):
                return json.loads(line.removeprefix("data: "))
            last = line if heard == kind and line.startswith("data: ") else last
        raise AssertionError(f"no {kind} with {words}; the last was {last}")

    def close(self) -> None:
        self._lines.close()
        self._connection.close()


def ask(
    page: PageServer, method: str, path: str, wish: object = None, **headers: str | None
) -> tuple[int, http.client.HTTPMessage, bytes]:
    """Status, headers and body; headers that are None are left out."""
    given = {"Host": f"127.0.0.1:{page.port}", "X-Demo-Token": page.token}
    given |= {name.replace("_", "-"): value for name, value in headers.items()}  # type: ignore[misc]
    with closing(http.client.HTTPConnection("127.0.0.1", page.port, timeout=PATIENCE_SECONDS)) as connection:
        body = None if wish is None else json.dumps(wish)
        connection.request(method, path, body, {name: value for name, value in given.items() if value is not None})
        answer = connection.getresponse()
        return answer.status, answer.headers, answer.read()


def post(page: PageServer, path: str, **wish: object) -> Any:
    status, _, body = ask(page, "POST", path, wish)
    assert status == 200, body
    return json.loads(body)
