"""A Zulip whose clock stands still, with a bot and a mentor who hides her address."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest

from lms_bot.sandbox.zulip import SandboxPerson, SandboxZulip
from tests.worlds.zulip_clients import Clock, client_of

if TYPE_CHECKING:
    from zulip import Client


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def zulip(clock: Clock) -> Iterator[SandboxZulip]:
    with SandboxZulip(now=clock) as server:
        yield server


@pytest.fixture
def bot(zulip: SandboxZulip) -> SandboxPerson:
    return zulip.add_person("LMS Bot", is_bot=True)


@pytest.fixture
def anna(zulip: SandboxZulip) -> SandboxPerson:
    return zulip.add_person("Anna Mentor", delivery_email="anna@example.com", email_is_hidden=True)


@pytest.fixture
def client(zulip: SandboxZulip, bot: SandboxPerson) -> Client:
    return client_of(zulip, bot)


@pytest.fixture
def elsewhere() -> Iterator[ThreadPoolExecutor]:
    """Threads for what is to happen while the test goes on."""
    with ThreadPoolExecutor() as threads:
        yield threads
