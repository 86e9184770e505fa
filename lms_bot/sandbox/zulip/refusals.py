"""What the sandbox Zulip says no with: status, code and words as a real server gives them."""

from __future__ import annotations

from typing import Any


class Refusal(Exception):
    """A request that is declined. `more` are further keys of the JSON, `headers` those of the answer."""

    def __init__(
        self,
        msg: str,
        *,
        code: str = "BAD_REQUEST",
        status: int = 400,
        headers: dict[str, str] | None = None,
        more: dict[str, Any] | None = None,
    ) -> None:
        super().__init__(msg)
        self.status = status
        self.headers = headers or {}
        self.body: dict[str, Any] = {"result": "error", "msg": msg, **(more or {}), "code": code}


class ConnectionLost(Exception):
    """The connection is to be closed without an answer, as when a server dies in the middle of a request."""


def unauthorized(msg: str) -> Refusal:
    return Refusal(msg, code="UNAUTHORIZED", status=401, headers={"WWW-Authenticate": 'Basic realm="zulip"'})


def missing_argument(name: str) -> Refusal:
    return Refusal(f"Missing '{name}' argument", code="REQUEST_VARIABLE_MISSING", more={"var_name": name})


def bad_value(name: str, value: str) -> Refusal:
    return Refusal(
        f"Bad value for '{name}': {value}",
        code="REQUEST_VARIABLE_INVALID",
        more={"var_name": name, "bad_value": value},
    )


def bad_event_queue(queue_id: str) -> Refusal:
    return Refusal(f"Bad event queue ID: {queue_id}", code="BAD_EVENT_QUEUE_ID", more={"queue_id": queue_id})


def bad_narrow(desc: str) -> Refusal:
    return Refusal(f"Invalid narrow operator: {desc}", code="BAD_NARROW", more={"desc": desc})


def unknown_stream(name: str) -> Refusal:
    return Refusal(f"Stream '{name}' does not exist", code="STREAM_DOES_NOT_EXIST", more={"stream": name})


def invalid_message() -> Refusal:
    """Unknown, deleted and somebody else's read the same."""
    return Refusal("Invalid message(s)")
