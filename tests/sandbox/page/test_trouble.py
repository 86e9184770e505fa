"""Trouble at will, and that nothing is lost or doubled by it."""

from __future__ import annotations

import json
from contextlib import closing
from typing import TYPE_CHECKING

import pytest

from tests.worlds.demo_page_world import Feed, ask, post
from tests.worlds.running_bot import wait_until

if TYPE_CHECKING:
    from lms_bot.sandbox.page.server import PageServer


@pytest.mark.parametrize("kind", ["zulip", "lms", "answers"])
def test_nothing_is_lost_or_doubled_by_trouble(page: PageServer, kind: str) -> None:
    with closing(Feed(page, "chen.wei")) as feed:
        post(page, "/trouble", kind=kind, is_on=True)
        assert feed.wait_for("trouble", f'"{kind}": true')
        wish = {"student": "tunde_a", "verb": "pass", "what": "math-final"}
        status, _, body = ask(page, "POST", "/act", wish)
        assert (status == 409) == (kind == "lms"), body
        if kind == "zulip":
            assert ask(page, "POST", "/say", {"person": "chen.wei", "content": "help"})[0] == 503
            assert feed.wait_for("away", "true")
        post(page, "/trouble", kind=kind, is_on=False)
        act = json.loads(body)["act"] if status == 200 else post(page, "/act", **wish)["act"]
        feed.wait_for("path", f'"id": {act},', '"is_done": true')
        counts = feed.wait_for("counts", '"waiting": 0')
    assert (counts["lost"], counts["doubled"]) == (0, 0)


def test_a_bot_that_finds_no_zulip_is_started_until_it_does(page: PageServer) -> None:
    bot = page.backend.environment.bot
    with closing(Feed(page, "chen.wei")) as feed:
        for kind, is_on in (("bot", True), ("zulip", True), ("bot", False)):
            post(page, "/trouble", kind=kind, is_on=is_on)
        feed.wait_for("trouble", '"bot": "starting"')
        wait_until(lambda: "cannot connect to server" in bot.last_output(), "it ends")
        post(page, "/trouble", kind="zulip", is_on=False)
        feed.wait_for("trouble", '"bot": "here"')


def test_a_start_that_was_over_before_the_bot_looked_is_not_lost(page: PageServer) -> None:
    exam = {"student": "olena_k", "what": "web-checkpoint"}
    with closing(Feed(page, "arjun.nair")) as feed:
        post(page, "/trouble", kind="bot", is_on=True)
        act = post(page, "/act", verb="start", **exam)["act"]
        post(page, "/act", verb="pass", **exam)
        post(page, "/trouble", kind="bot", is_on=False)
        path = feed.wait_for("path", f'"id": {act},', '"is_done": true')
        counts = feed.wait_for("counts", '"waiting": 0')
    assert path["is_overtaken"] and path["event"] is None
    assert (counts["lost"], counts["doubled"]) == (0, 0)
