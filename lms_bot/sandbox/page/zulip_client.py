"""The page's own Zulip client: one person's conversation with the bot, over Zulip's API as any client has it."""

from __future__ import annotations

import base64
import json
import socket
import threading
from collections.abc import Callable
from contextlib import closing, suppress
from http.client import HTTPConnection, HTTPException
from typing import Any, NamedTuple
from urllib.parse import quote, urlencode, urlsplit

from lms_bot.sandbox.zulip.people import SandboxPerson

API = "/api/v1/"
USER_AGENT = "website"  # what people write themselves, so says Zulip, comes from there
ANSWER_SECONDS = 15.0
POLL_SECONDS = 90.0  # heartbeats come sooner
RETRY_SECONDS = 0.3
MESSAGES_SHOWN = 200
EVENT_TYPES = ("message", "update_message", "delete_message", "reaction", "typing")

Tell = Callable[[str, Any], None]


class ZulipAway(Exception):
    """No answer came."""


class ZulipRefuses(Exception):
    """Zulip answered, and said no; the text is its own."""


class File(NamedTuple):
    content: bytes
    content_type: str
    disposition: str


class ZulipClient:
    """What one person can do at a Zulip."""

    def __init__(self, site: str, person: SandboxPerson) -> None:
        self.person = person
        self._address = urlsplit(site).netloc
        secret = base64.b64encode(f"{person.delivery_email}:{person.api_key}".encode()).decode()
        self._headers = {"Authorization": f"Basic {secret}", "User-Agent": USER_AGENT}

    def connect(self, patience_seconds: float = ANSWER_SECONDS) -> HTTPConnection:
        return HTTPConnection(self._address, timeout=patience_seconds)

    def call(self, method: str, path: str, *, over: HTTPConnection | None = None, **params: Any) -> dict[str, Any]:
        """What Zulip answers; lists and truth values become JSON. Raises ZulipAway and ZulipRefuses."""
        form = urlencode({name: _to_text(value) for name, value in params.items()})
        is_query = method in ("GET", "DELETE")
        target = f"{API}{path}?{form}" if is_query else API + path
        status, _, body = self._request(method, target, None if is_query else form, over)
        try:
            answer: dict[str, Any] = json.loads(body)
        except ValueError as error:
            raise ZulipAway(f"status {status} without JSON") from error
        if answer.get("result") != "success":
            raise ZulipRefuses(str(answer.get("msg")))
        return answer

    def fetch_file(self, path: str) -> File | None:
        """An uploaded file this person may see, else None."""
        status, headers, body = self._request("GET", quote(path), None, None)
        if status != 200:
            return None
        kind = headers.get("Content-Type", "application/octet-stream")
        return File(body, kind, headers.get("Content-Disposition", "attachment"))

    def _request(
        self, method: str, target: str, form: str | None, over: HTTPConnection | None
    ) -> tuple[int, Any, bytes]:
        headers = self._headers | ({} if form is None else {"Content-Type": "application/x-www-form-urlencoded"})
        connection = over or self.connect()
        with closing(connection):
            try:
                connection.request(method, target, form, headers)
                response = connection.getresponse()
                return response.status, response.headers, response.read()
            except (OSError, HTTPException) as error:
                raise ZulipAway(str(error)) from error


class Conversation:
    """One person's direct messages with the bot, followed live until `close()`."""

    def __init__(self, client: ZulipClient, bot: SandboxPerson, tell: Tell) -> None:
        self._client = client
        self._bot_id = bot.user_id
        self._tell = tell
        self._is_closed = threading.Event()
        self._polling: HTTPConnection | None = None
        self._thread = threading.Thread(target=self._follow, name="page-conversation", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """No more is told, at once, also if a long poll is under way."""
        self._is_closed.set()
        polling = self._polling
        if polling is not None and polling.sock is not None:
            with suppress(OSError):
                polling.sock.shutdown(socket.SHUT_RDWR)

    def _follow(self) -> None:
        while not self._is_closed.is_set():
            with suppress(ZulipRefuses):  # the queue is gone: a new one, and all messages anew
                self._listen_unless_away()
            self._is_closed.wait(RETRY_SECONDS)

    def _listen_unless_away(self) -> None:
        try:
            self._listen()
        except ZulipAway:
            self._tell_unless_closed("away", True)

    def _listen(self) -> None:
        call = self._client.call
        registered = call("POST", "register", event_types=EVENT_TYPES, apply_markdown=True)
        queue_id, last_event_id = registered["queue_id"], registered["last_event_id"]
        narrow = [{"operator": "dm", "operand": [self._bot_id]}]
        found = call("GET", "messages", anchor="newest", num_before=MESSAGES_SHOWN, num_after=0, narrow=narrow)
        self._tell_unless_closed("away", False)
        self._tell_unless_closed("conversation", [self._show(each) for each in found["messages"]])
        while not self._is_closed.is_set():
            self._polling = self._client.connect(POLL_SECONDS)
            answer = call("GET", "events", over=self._polling, queue_id=queue_id, last_event_id=last_event_id)
            for event in answer["events"]:
                last_event_id = event["id"]
                self._handle(event)

    def _handle(self, event: dict[str, Any]) -> None:
        if event["type"] == "message":
            if self._is_ours(event["message"]):
                self._tell_unless_closed("message", self._show(event["message"]))
        elif event["type"] == "typing":
            if event["sender"]["user_id"] == self._bot_id:
                self._tell_unless_closed("typing", event["op"] == "start")
        elif event["type"] == "delete_message":
            self._tell_unless_closed("gone", event["message_id"])
        elif event["type"] in ("update_message", "reaction"):
            changed = self._client.call("GET", f"messages/{event['message_id']}", apply_markdown=True)["message"]
            if self._is_ours(changed):
                self._tell_unless_closed("message", self._show(changed))

    def _is_ours(self, message: dict[str, Any]) -> bool:
        with_whom = {each["id"] for each in message["display_recipient"]} if message["type"] == "private" else set()
        return with_whom == {self._bot_id, self._client.person.user_id}

    def _show(self, message: dict[str, Any]) -> dict[str, Any]:
        """What the page needs of a message; `html` is Zulip's rendering, `choices` what is shown instead."""
        return {
            "id": message["id"],
            "sender": message["sender_full_name"],
            "is_own": message["sender_id"] == self._client.person.user_id,
            "sent_at": message["timestamp"],
            "html": message["content"],
            "choices": _read_choices(message["submessages"]),
            "is_edited": "last_edit_timestamp" in message,
            "reactions": [
                {
                    "name": each["emoji_name"],
                    "code": each["emoji_code"],
                    "who": each["user"]["full_name"],
                    "is_own": each["user_id"] == self._client.person.user_id,
                }
                for each in message["reactions"]
            ],
        }

    def _tell_unless_closed(self, kind: str, what: Any) -> None:
        if not self._is_closed.is_set():
            self._tell(kind, what)


def _read_choices(submessages: list[dict[str, Any]]) -> dict[str, Any] | None:
    """The heading and the choices of a message that comes with buttons, as Zulip's own web app reads them."""
    for widget in (json.loads(each["content"]) for each in submessages if each["msg_type"] == "widget"):
        if widget["widget_type"] == "zform":
            heading, choices = (widget["extra_data"][name] for name in ("heading", "choices"))
            return {"heading": heading, "choices": choices}
    return None


def _to_text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)
