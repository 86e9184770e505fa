"""Conversations."""

from __future__ import annotations

from datetime import timedelta
from time import perf_counter

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lms_bot.chat.commands.table import COMMANDS, SECTIONS
from lms_bot.chat.language.arguments import UNKNOWN_TO_ADMIN
from lms_bot.chat.language.periods import PERIODS_ARE
from lms_bot.chat.respond import REFUSAL, respond
from lms_bot.core.activities import ActivityType
from lms_bot.core.errors import LMSUnavailable, StoreUnavailable, ZulipUnavailable
from lms_bot.core.markdown import time_tag
from lms_bot.store.counters import Counters
from lms_bot.store.database import Store
from lms_bot.store.messages import DeliveryState, MessageState
from lms_bot.store.models import KeyValue, RejectedRow
from tests.worlds.chat_world import (
    ADMIN,
    BOTH,
    JANE,
    JOHN,
    JOSE,
    MARIA,
    NOW,
    PEOPLE,
    PUPIL,
    ZOE,
    World,
    make_student,
    make_user,
)

HOUR, DAY = timedelta(hours=1), timedelta(days=1)
HOSTILE = "@**all** | `x` [a](http://evil.example/)\n# **b**"


# ---- what mentors ask ----


@pytest.mark.parametrize(
    "said",
    [
        "history john_doe 3 days",
        "History of John, last 3 days please",
        "show me the history of john for the last 3 days, thank you",
        "history `john_doe` 3d",
        "history doe john in the past 3 days",
    ],
)
def test_history_understands_names_and_periods_in_plain_words(small_world: World, said: str) -> None:
    small_world.add_event(JOHN, activity_title="Recent")
    small_world.add_event(JOHN, ago=9 * DAY, activity_title="Long ago")

    text = small_world.ask(said).text

    assert "the last 3 days" in text and "Recent" in text and "Long ago" not in text


@pytest.mark.parametrize(
    ("said", "plainly"),
    [
        ("john's history", "history john"),
        ("what\u2019s John Doe\u2019s history last week please", "history john last week"),
        ("can you show me john's card?", "student john"),
        ("how is john's progress", "student john"),
        ("last week's summary", "summary last week"),
        ("this week's chart", "chart week"),
        ("how did john do last week", "history john last week"),
    ],
)
def test_whose_it_is_may_be_said_first(small_world: World, said: str, plainly: str) -> None:
    small_world.add_event(JOHN)
    assert small_world.ask(said) == small_world.ask(plainly)


def test_a_name_that_is_an_everyday_word_is_found(small_world: World) -> None:
    can, an = make_student(50, "can_y", "Can", "Kaya"), make_student(51, "an", "An", "Nguyễn")
    small_world.people.students_of[1] += (can, an)
    assert small_world.ask("history can").text.startswith("**Can Kaya (can_y)**")
    assert small_world.ask("student an please").text.startswith("🎓 **An Nguyễn (an)**")


def test_summary_of_days_goes_by_the_askers_midnight(small_world: World) -> None:
    """At noon UTC it is 01:00 in Auckland: what was two hours ago was yesterday."""
    small_world.people.zulip_users[MARIA] = make_user(MARIA, "Maria", timezone="Pacific/Auckland")
    small_world.add_event(JOHN, ago=2 * HOUR)

    assert "John" not in small_world.ask("summary today").text
    assert "John" in small_world.ask("summary yesterday").text


@pytest.mark.parametrize(
    "said", ["summary", "summary today", "summary of this week", "summary last hour", "summary 7 days"]
)
def test_periods_of_a_summary(small_world: World, said: str) -> None:
    small_world.add_event(JOHN, ago=HOUR / 2)
    assert "John Doe" in small_world.ask(said).text


def test_status_tells_of_the_watch_the_students_and_what_is_on_its_way(world: World) -> None:
    with world.app.store.transaction():
        KeyValue.put("last_good_poll", (NOW - timedelta(seconds=30)).isoformat())
    event = world.add_event(JOHN)
    world.add_delivery(event, f"zulip:{MARIA}")

    assert world.ask("status").text.splitlines() == [
        "👁️ I am watching the LMS, last <time:2026-03-18T11:59:30Z>.",
        "👥 You have 3 students.",
        "📬 1 event on the way to you.",
    ]
    assert world.ask("status", BOTH).text.endswith("📬 You have been told all.")


def test_status_warns_when_the_last_look_into_the_lms_is_long_ago(small_world: World) -> None:
    assert small_world.ask("status").text.startswith("⚠️ I have not been able")
    with small_world.app.store.transaction():
        KeyValue.put("last_good_poll", (NOW - HOUR).isoformat())
    assert small_world.ask("status").text.startswith("⚠️ I could last look into the LMS <time:2026-03-18T11:00:00Z>")


# ---- what admins ask ----


def test_an_admin_reads_the_history_of_anybody_by_name_or_id(world: World) -> None:
    world.add_event(ZOE)
    nameless = make_student(77, "")
    world.add_event(nameless, student_username=None, student_display_name=None)

    assert world.ask("history Zoe Muller", ADMIN).text.startswith("**Zoë Müller (zoe_m)**")
    assert world.ask("history 77 today", ADMIN).text.startswith("**Student 77** · today")
    assert "No activity." in world.ask("history jane_smith", ADMIN).text, "the LMS knows her"
    assert world.ask("history nobody", ADMIN).text == UNKNOWN_TO_ADMIN


def test_an_admin_who_mentors_nobody_means_everybody(small_world: World) -> None:
    small_world.add_event(ZOE)
    assert small_world.ask("summary week", ADMIN) == small_world.ask("summary week all", ADMIN)
    assert small_world.ask("stats", ADMIN) == small_world.ask("stats all", ADMIN)


def test_an_admin_who_mentors_has_both(small_world: World) -> None:
    small_world.add_event(ZOE)
    small_world.add_event(JOHN)
    assert "John" not in small_world.ask("summary", BOTH).text
    assert "John" in small_world.ask("summary all", BOTH).text


def test_stats_all_shows_events_types_and_people(small_world: World) -> None:
    small_world.add_event(ZOE)
    text = small_world.ask("stats all", ADMIN).text
    assert "| Total events | 5 |" in text
    assert "| 🎉 Exams passed | 1 |" in text
    assert "| Mapped mentors | 5 |" in text


def test_stats_all_does_without_the_lms(small_world: World) -> None:
    small_world.people.lms_trouble = LMSUnavailable("the LMS is away")
    assert small_world.ask("stats all", ADMIN).text.endswith("**People**: not known now, the LMS is away.")


def test_errors_are_grouped_and_name_their_events(world: World) -> None:
    events = [world.add_event(JOHN) for _ in range(12)]
    for event in events:
        world.add_error(event, HOSTILE)
    with world.app.store.transaction():
        RejectedRow.create(stream="attempts", row_key="5", problem="unknown state", reason="state is 'limbo'")

    text = world.ask("errors", ADMIN).text

    assert "**Not told** · 12 events" in text
    assert f"`#{events[-1].event_id}`" in text and f"`#{events[0].event_id}`" not in text
    assert "… and 2 more" in text
    assert "@**" not in text and "](http" not in text
    assert "| attempts | unknown state | 1 |" in text and "`5`" in text


def test_no_errors_is_good_news(small_world: World) -> None:
    assert small_world.ask("errors", ADMIN).text == "✅ No errors."
    assert small_world.ask("pending", ADMIN).text == "✅ Nothing is waiting."


def test_pending_says_for_whom_since_when_and_why(world: World) -> None:
    event = world.add_event(JOHN, has_deliveries=False)
    message = world.add_message(state=MessageState.UNKNOWN.value, reason="the answer was lost")
    world.add_delivery(event, f"zulip:{MARIA}", message=message)
    world.add_delivery(event, "mentor:7", state=DeliveryState.UNMAPPED.value, reason="no such address")
    world.add_delivery(event, "nobody", state=DeliveryState.UNMAPPED.value, reason="no mentor")

    when = time_tag(event.created_at)
    lines = world.ask("pending", ADMIN).text.replace("\u200b", "").splitlines()

    assert lines[0] == "⏳ **Waiting** · 4"
    assert lines[4] == f"| not decided yet | 1 | {when} | just recorded |"
    assert sorted(lines[5:]) == [
        f"| Maria | 1 | {when} | sent perhaps; being looked up in Zulip: the answer was lost |",
        f"| mentor chen.wei | 1 | {when} | nobody in Zulip is known for them: no such address |",
        f"| nobody | 1 | {when} | nobody in Zulip is known for them: no mentor |",
    ]


@pytest.mark.parametrize(
    ("said", "asked"),
    [
        ("retry", None),
        ("retry all", None),
        ("retry ALL please", None),
        ("retry 12", [12]),
        ("retry #12", [12]),
        ("retry `#12`, #13 and 14".replace(" and", ""), [12, 13, 14]),
        ("retry 12,13,12", [12, 13]),
        ("retry #7 #7", [7]),
    ],
)
def test_retry_takes_all_or_event_numbers(small_world: World, said: str, asked: list[int] | None) -> None:
    text = small_world.ask(said, ADMIN).text
    assert small_world.events.retried == [asked]
    assert text.splitlines() == [
        "🔁 1 event will be sent again.",
        "Somebody to be told of `#8` still cannot be found; `errors` says why.",
        "Nothing failed with `#7`.",
        "There is no event `#404`.",
    ]


@pytest.mark.parametrize("said", ["retry john", "retry 12 john", "retry all 12", "retry -5", "retry 99999999999"])
def test_retry_of_something_else_is_answered_with_its_usage_and_changes_nothing(
    small_world: World, said: str
) -> None:
    assert "Usage: `retry [all|<event id>…]`" in small_world.ask(said, ADMIN).text
    assert small_world.events.retried == []


def test_health_shows_every_check(small_world: World) -> None:
    assert small_world.ask("health", ADMIN).text.splitlines() == [
        "❌ **Something is wrong**",
        "",
        "|  | What | How it is |",
        "|---|---|---|",
        "| ✅ | store | answers |",
        "| ❌ | LMS | connection refused |",
    ]


def test_poll_now_polls_once_and_says_what_it_found(small_world: World) -> None:
    assert small_world.ask("poll now", ADMIN).text == "👁️ I looked into the LMS: 2 new events."
    assert small_world.polls == 1


def test_unmapped_names_mentors_and_reasons(small_world: World) -> None:
    text = small_world.ask("unmapped", ADMIN).text
    assert "| Chen.Wei (chen.wei) |" in text.replace("\u200b", "")
    assert "no Zulip user has the e-mail address" in text


# ---- understanding ----


@pytest.mark.parametrize("said", ["", "   ", "?", "@**LMS Bot**", "hello!", "help"])
def test_somebody_who_asks_nothing_gets_help(small_world: World, said: str) -> None:
    reply = small_world.ask(said)
    assert reply.text.startswith("You can ask me:") and not reply.is_private


def test_help_for_a_command_shows_its_usage(small_world: World) -> None:
    assert small_world.ask("help history").text.splitlines()[1:] == [
        "Usage: `history <student> [period] [exams|content] [page N]`",
        "For example: `history john_doe last week exams`",
        PERIODS_ARE,
    ]
    assert small_world.ask("help errors").text == small_world.ask("help").text


def test_help_on_what_takes_a_period_says_what_one_is(small_world: World) -> None:
    assert small_world.ask("help summary").text.splitlines()[-1] == PERIODS_ARE


def test_all_help_fits_one_message_and_is_grouped(small_world: World) -> None:
    text = small_world.ask("help", BOTH).text
    assert len(text) < 6000
    titles = [line.strip("*") for line in text.splitlines() if line.startswith("**")]
    assert titles == list(SECTIONS)
    assert sum(line.startswith("- `") for line in text.splitlines()) == len(COMMANDS)


@pytest.mark.parametrize(
    "said",
    [
        "history john_doe\nlast 3 days",
        "history john_doe last 3 days\n\nThanks a lot!\nMaria",
        "Hello dear bot,\nhistory of john last 3 days please",
        "```quote\nsummary week\n```\nhistory john last 3 days",
    ],
)
def test_a_message_may_have_several_lines(small_world: World, said: str) -> None:
    assert small_world.ask(said).text.startswith("**John Doe (john_doe)** · the last 3 days")


def test_a_line_of_what_is_quoted_is_not_taken_for_a_command(small_world: World) -> None:
    said = "```quote\nhistory jane_smith\n```\nhistory john_doe whenever"
    assert small_world.ask(said).text.startswith("I know who you mean, but not which time.")


def test_who_says_thanks_is_welcome(small_world: World) -> None:
    for said in ("thanks!", "Thank you 🙏", "thx"):
        assert small_world.ask(said).text == "You are welcome."


def test_long_messages_are_answered_quickly(small_world: World) -> None:
    small_world.people.students_of[1] = tuple(make_student(n, f"user{n}", f"First{n}", "Last") for n in range(900))
    small_world.ask("students")
    said_at_length = ("history " + "x " * 4900, "what did " + "a do " * 2400, "history user1 " + "1 " * 4900)
    for said in (*said_at_length, "frist1 " * 1400):
        started = perf_counter()
        assert small_world.ask(said).text
        assert perf_counter() - started < 0.5


def test_what_is_wrong_with_several_lines_is_said_of_all_of_them(small_world: World) -> None:
    assert small_world.ask("summary whenever\nyou like").text.startswith("I could not read that period.")


def test_a_typo_is_answered_with_what_was_meant_and_repeats_nothing(small_world: World) -> None:
    reply = small_world.ask("histroy john_doe")
    assert reply.text == "I do not know that command. Did you mean `history`? `help` shows what you can ask."


@pytest.mark.parametrize(
    ("said", "usage"),
    [
        ("history", "Which student?\nUsage: `history <student> [period] [exams|content] [page N]`"),
        ("history john_doe fortnight", "Usage: `history <student> [period] [exams|content] [page N]`"),
        ("summary fortnight", "Usage: `summary [period] [page N]`"),
    ],
)
def test_wrong_arguments_are_answered_with_usage_and_an_example_of_ones_own(
    small_world: World, said: str, usage: str
) -> None:
    small_world.people.students_of[1] = (JANE, JOHN)
    reply = small_world.ask(said)
    assert usage in reply.text and reply.is_private
    assert ("`2026-01-10..2026-01-20`" in reply.text) == ("fortnight" in said)
    assert reply.text.splitlines()[-1] in (
        "For example: `history jane_smith last week exams`",
        "For example: `summary last week`",
    )


def test_an_example_never_holds_a_username_that_could_be_markup(small_world: World) -> None:
    small_world.people.students_of[1] = (make_student(50, "`@**all**`"),)
    assert small_world.ask("history").text.endswith("For example: `history john_doe last week exams`")


# ---- trouble ----


def test_an_answer_from_last_known_students_says_so_first(small_world: World) -> None:
    small_world.people.is_stale = True
    note = "⚠️ The LMS does not answer; whose students are whose is as of <time:2026-03-18T11:00:00Z>."
    for said in ("stats", "summary", "history john_doe", "history nobody", "students", "status"):
        assert small_world.ask(said).text.startswith(note), said
    assert note not in small_world.ask("help").text


def test_a_mentor_whose_students_are_not_known_is_told_so_plainly(small_world: World) -> None:
    small_world.people.students_trouble = LMSUnavailable("connection refused at 10.0.0.1")
    for said in ("stats", "summary", "history john_doe", "students"):
        assert small_world.ask(said).text == "The LMS does not answer just now. Please try again in a few minutes."
    assert small_world.ask("help").text.startswith("You can ask me:")
    assert "cannot be known now" in small_world.ask("status").text


@pytest.mark.parametrize(
    ("error", "who"),
    [
        (LMSUnavailable("10.0.0.1"), "The LMS"),
        (StoreUnavailable("/secret/path"), "My own store"),
        (ZulipUnavailable("10.0.0.2"), "Zulip"),
    ],
)
def test_what_is_away_is_said_in_one_plain_sentence(small_world: World, error: Exception, who: str) -> None:
    def fail() -> int:
        raise error

    small_world.app.monitor.process_activities = fail
    reply = small_world.ask("poll now", ADMIN)
    assert reply.text == f"{who} does not answer just now. Please try again in a few minutes."


def test_health_and_help_answer_while_the_store_is_away(small_world: World) -> None:
    small_world.app.store = Store("postgresql://127.0.0.1:1/nothing")

    assert small_world.ask("errors", ADMIN).text.startswith("My own store does not answer just now.")
    assert "connection refused" in small_world.ask("health", ADMIN).text
    assert small_world.ask("help").text.startswith("You can ask me:")


def test_a_mistake_of_ours_is_the_bots_to_report(small_world: World) -> None:
    small_world.app.monitor.process_activities = lambda: 1 // 0
    with pytest.raises(ZeroDivisionError):
        small_world.ask("poll now", ADMIN)


# ---- safety ----


def test_text_from_the_lms_is_disarmed_in_every_answer(small_world: World) -> None:
    evil = make_student(66, HOSTILE, HOSTILE, HOSTILE)
    small_world.people.students_of[1] = (evil, JOSE)
    small_world.add_event(
        evil,
        ActivityType.EXAM_STARTED,
        activity_title=HOSTILE,
        activity_metadata={"score": HOSTILE, "percentage": []},
    )
    small_world.people.zulip_users[MARIA] = make_user(MARIA, HOSTILE, role=200)
    for command in COMMANDS:
        text = small_world.ask(command.get_example("66")).text
        assert "@**" not in text and "](http" not in text and "\n# " not in text, text


def test_the_same_people_may_be_passed_in(small_world: World) -> None:
    assert respond(small_world.app, "help", 12345, zulip_user=PEOPLE[0]).text.startswith("You can ask me:")
    assert respond(small_world.app, "help", 12345).text == REFUSAL


WORDS = st.sampled_from(
    [
        *(word for command in COMMANDS for word in command.usage.split()),
        "john",
        "all",
        "3",
        "days",
        "#5",
        "@**x**",
    ]
)
MESSAGES = st.one_of(st.text(max_size=200), st.lists(WORDS, max_size=8).map(" ".join))


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=50)
@given(text=MESSAGES, who=st.sampled_from([MARIA, ADMIN, PUPIL]))
def test_nothing_that_can_be_typed_makes_it_raise(small_world: World, text: str, who: int) -> None:
    reply = small_world.ask(text, who)
    assert reply.text and len(reply.text) <= 10_000
    if who == PUPIL:
        assert reply.text == REFUSAL


def test_an_answer_says_how_many_events_it_does_not_count_yet(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lms_bot.store.counters.EVENTS_PER_SECOND", 0)  # none is waited for
    world.app.counters = Counters(world.app.store, events_at_once=1)
    for _ in range(3):
        world.add_event(JOHN)

    said = [world.ask("stats").text.rpartition("\n")[2] for _ in range(3)]

    assert said[:2] == [
        "⏳ 2 events recorded just now are not counted yet.",
        "⏳ 1 event recorded just now is not counted yet.",
    ]
    assert "counted yet" not in said[2]
