"""`health`, `poll now`, `unmapped`: how the bot is."""

from __future__ import annotations

from tests.worlds.chat_world import ADMIN, World


def test_health_shows_every_check(small_world: World) -> None:
    assert small_world.ask("health", ADMIN).text.splitlines() == [
        "❌ **Something is wrong**",
        "",
        "✅ **store**: answers",
        "❌ **LMS**: connection refused",
    ]


def test_poll_now_polls_once_and_says_what_it_found(small_world: World) -> None:
    assert small_world.ask("poll now", ADMIN).text == "👁️ I looked into the LMS: 2 new events."
    assert small_world.polls == 1


def test_unmapped_names_mentors_and_reasons(small_world: World) -> None:
    text = small_world.ask("unmapped", ADMIN).text
    line = "- **Chen.Wei (chen.wei)** · no Zulip user has the e-mail address"
    assert line in text.replace("\u200b", "").splitlines()
