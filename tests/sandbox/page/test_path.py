"""How far an act got, as it is counted."""

from __future__ import annotations

import time
from contextlib import closing
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from lms_bot.sandbox.page.path import Act, look
from lms_bot.sandbox.page.path import count as count_all
from tests.worlds.demo_page_world import Feed, post

if TYPE_CHECKING:
    from lms_bot.sandbox.page.server import PageServer
    from lms_bot.sandbox.zulip import SandboxMessage


def test_what_zulip_lacks_or_has_twice_is_counted(page: PageServer) -> None:
    backend = page.backend
    zulip, bot = backend.environment.zulip, backend.environment.account
    said_before = zulip.messages(sender=bot)
    with closing(Feed(page, "maria.santos")) as feed:
        act = post(page, "/act", student="jane_smith", verb="fail", what="physics-midterm")["act"]
        feed.wait_for("path", f'"id": {act},', '"is_done": true')

    def count(messages: list[SandboxMessage]) -> dict[str, Any]:
        paths, arrivals = look(backend.acts, backend.environment.bot.stored, lambda: messages)
        return count_all(paths, arrivals, 1, backend.began_at, backend.environment.bot.stored)

    messages = zulip.messages(sender=bot)
    (told,) = [one for one in messages[len(said_before) :] if "Physics" in one.content]
    assert (count(messages)["lost"], count(messages)["doubled"]) == (0, 0)
    assert count([one for one in messages if one is not told])["lost"] == 1
    assert count([*messages, told])["doubled"] == 1


def test_an_event_that_does_not_come_is_lost_only_when_the_lms_was_polled_since(page: PageServer) -> None:
    never = Act(1, "john_doe", "pass", "Chess", "attempts", 10**6, "exam_passed", time.time(), mentors=1)
    for seconds_ago, lost in ((0, 0), (60, 1)):
        act = replace(never, written_at=never.written_at - seconds_ago)
        paths, arrivals = look([act], page.backend.environment.bot.stored, list)
        assert count_all(paths, arrivals, 1, time.time(), page.backend.environment.bot.stored)["lost"] == lost
