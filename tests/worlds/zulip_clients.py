"""Who speaks to a sandbox Zulip over HTTP in tests: the stock client and a person's own."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import requests
from zulip import Client

if TYPE_CHECKING:
    from lms_bot.sandbox.zulip import SandboxPerson, SandboxZulip

PATIENCE_SECONDS = 60.0  # only a hang lasts longer


class Clock:
    """Time that passes only when told to."""

    def __init__(self) -> None:
        self.time = 1_795_397_090.0

    def __call__(self) -> float:
        return self.time


def client_of(zulip: SandboxZulip, person: SandboxPerson) -> Client:
    return Client(email=person.delivery_email, api_key=person.api_key, site=zulip.site, retry_on_errors=False)


def post_message(
    zulip: SandboxZulip,
    sender: SandboxPerson,
    to: SandboxPerson,
    content: str,
    patience_seconds: float = PATIENCE_SECONDS,
) -> requests.Response:
    return requests.post(
        f"{zulip.site}/api/v1/messages",
        {"type": "direct", "to": f"[{to.user_id}]", "content": content},
        auth=(sender.delivery_email, sender.api_key),
        timeout=(PATIENCE_SECONDS, patience_seconds),
    )


def contents(events: dict[str, Any]) -> list[str]:
    return [event["message"]["content"] for event in events["events"]]


def wait_until_polled(zulip: SandboxZulip, queue_id: str, user_id: int) -> None:
    """Until a client waits in this queue."""
    queue = zulip.realm.queues.get(queue_id, user_id)
    with zulip.realm.lock:
        assert queue.arrived.wait_for(lambda: queue.poll is not None, timeout=PATIENCE_SECONDS)
