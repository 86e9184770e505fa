"""`needs`, `concerns`, `snooze`: who needs the mentor, what was the matter with whom, and who is put off."""

from __future__ import annotations

from datetime import datetime, timezone
from typing import TYPE_CHECKING

import pytest

from lms_bot.chat.language.arguments import UNKNOWN_STUDENT
from lms_bot.chat.respond import REFUSAL
from lms_bot.core.activities import ActivityType
from lms_bot.insight.seen import note_reaction
from lms_bot.store.concerns import ConcernKind, ConcernTelling, Snooze
from lms_bot.store.messages import DeliveryState, MessageState
from tests.worlds.chat_world import (
    ADMIN,
    ARJUN,
    JANE,
    JOHN,
    JOSE,
    MARIA,
    NOW,
    PUPIL,
    ZOE,
    World,
    get_audited,
    lines_of,
    make_student,
)
from tests.worlds.concerns import DAY, HOUR, change_concern, get_seen_by, open_concern, tell_of

if TYPE_CHECKING:
    from lms_bot.lms.people import Student

FAILING, SILENT, LEFT_OPEN = ConcernKind.FAILING, ConcernKind.SILENT, ConcernKind.LEFT_OPEN
IN_A_ROW = "failed 3 exams in a row: Algebra 40 %, Physics 35 %, Latin"


def rows_of(world: World, said: str = "needs", who: int = MARIA) -> list[str]:
    """The rows of the table, without its head."""
    return [line for line in lines_of(world, said, who) if line.startswith("| ")][1:]


def tell(world: World, *events: tuple[Student, ActivityType], concerns: tuple[int, ...]) -> tuple[list[int], int]:
    """Maria was told of all that in one message: the numbers of the events, and the message's."""
    message = world.add_message(zulip_user_id=MARIA, state=MessageState.SENT.value, zulip_message_id=7000)
    told = [world.add_event(student, kind) for student, kind in events]
    for event in told:
        world.add_delivery(event, f"zulip:{MARIA}", state=DeliveryState.SENT.value, message=message)
    for concern in concerns:
        tell_of(world, concern, message)
    return [event.event_id for event in told], 7000


def get_snooze(world: World, student: Student = JOHN) -> tuple[datetime, str | None, int] | None:
    with world.store.session():
        found = Snooze.get_or_none(Snooze.student_id == student.student_id)
    return None if found is None else (found.until, found.reason, found.zulip_user_id)


# ---- needs ----


def test_the_most_urgent_comes_first_then_the_worst_then_what_began_first(world: World) -> None:
    open_concern(world, JOSE, LEFT_OPEN)
    open_concern(world, JOHN, SILENT, since_at=NOW - 9 * DAY)
    open_concern(world, JOSE, FAILING, facts={"in_row": 4, "severity": 1})
    open_concern(world, JANE, FAILING, facts={"in_row": 9, "severity": 2})
    open_concern(world, JANE, SILENT, since_at=NOW - 12 * DAY)
    open_concern(world, ZOE, FAILING)
    open_concern(world, JOHN, FAILING, cleared_at=NOW - DAY)

    reply = world.ask("who needs me?")

    assert reply.is_private
    assert reply.text.splitlines() == [
        "☀️ **3 students of your 3 need you**",
        "",
        "| Student | Why | Since |",
        "|---|---|---|",
        "| ⚡ Jane Smith | failed 9 exams in a row | Tue 10 Mar |",
        "| ⚡ José García | failed 4 exams in a row | Tue 10 Mar |",
        "| 💤 Jane Smith | did nothing for 7 school days | Fri 6 Mar |",
        "| 💤 John Doe | did nothing for 7 school days | Mon 9 Mar |",
        "| 📝 José García | started **Algebra** and did not end it | Tue 10 Mar |",
        "",
        "`done jane_smith` marks as seen to, `snooze jane_smith 5 days` puts off.",
    ]


def test_where_nobody_needs_one(small_world: World) -> None:
    assert small_world.ask("needs").text == "☀️ **Nobody of your 3 students needs you now**"
    small_world.people.students_of[1] = ()
    assert small_world.ask("needs").text == "The LMS gives you no students."


def test_of_whom_nothing_is_expected_nothing_is_said(small_world: World) -> None:
    open_concern(small_world, JOHN, SILENT)
    inactive = make_student(JOHN.student_id, "john_doe", "John", "Doe")
    object.__setattr__(inactive, "is_active", False)
    small_world.people.students_of[1] = (inactive, JANE)
    assert small_world.ask("needs").text == "☀️ **Nobody of your 1 student needs you now**"


def test_where_most_are_silent_it_is_one_line(small_world: World) -> None:
    for student in (JOHN, JANE, JOSE):
        open_concern(small_world, student, SILENT)
    open_concern(small_world, JANE, FAILING)

    assert rows_of(small_world) == [f"| ⚡ Jane Smith | {IN_A_ROW} | Tue 10 Mar |"]
    text = small_world.ask("needs").text
    assert "☀️ **1 student of your 3 needs you**" in text
    assert "💤 Quiet everywhere: 3 students silent. Holidays?" in text

    small_world.ask("done jane")
    assert "Nobody of your 3" in small_world.ask("needs").text
    assert "💤 Quiet everywhere: 2 students" in small_world.ask("needs").text


def test_who_is_put_off_and_what_is_seen_to_is_said_below(world: World) -> None:
    open_concern(world, JOHN, FAILING)
    open_concern(world, JANE, LEFT_OPEN)
    open_concern(world, JANE, FAILING)
    world.ask("snooze john until friday", ARJUN)
    world.ask("done jane")

    assert world.ask("needs").text.splitlines() == [
        "☀️ **Nobody of your 3 students needs you now**",
        "",
        "⏰ Put off: John Doe until <time:2026-03-20T00:00:00Z>.",
        "",
        "✅ 2 concerns more, which somebody has seen to.",
    ]
    assert rows_of(world, who=ARJUN) == []
    assert len(world.ask("needs", now=NOW + 3 * DAY).text.split("⚡ John Doe")) == 2


def test_it_goes_on_in_pages(small_world: World) -> None:
    pupils = tuple(make_student(100 + number, f"pupil{number}", "Pupil", f"No {number}") for number in range(23))
    small_world.people.students_of[1] = pupils
    for pupil in pupils:
        open_concern(small_world, pupil, LEFT_OPEN)

    assert len(rows_of(small_world)) == 20 and len(rows_of(small_world, "needs page 2")) == 3
    assert "Page 1 of 2. `needs page 2` shows the next." in small_world.ask("needs").text
    assert "There are only 2 pages." in small_world.ask("needs page 3").text
    assert "Usage: `needs [page N]`" in small_world.ask("needs john").text


def test_an_admin_asks_of_all_which_is_written_down(world: World) -> None:
    open_concern(world, JOHN, FAILING)
    open_concern(world, ZOE, FAILING)

    assert [row.split(" | ")[0] for row in rows_of(world, "needs all", ADMIN)] == ["| ⚡ John Doe", "| ⚡ Zoë Müller"]
    assert "**2 students of all 4 need you**" in world.ask("needs all", ADMIN).text
    assert get_audited(world) == [(None, "needs all")] * 2
    assert "for admins only" in world.ask("needs all").text
    assert world.ask("needs all", PUPIL).text == REFUSAL == world.ask("needs", PUPIL).text


def test_names_and_titles_are_text(small_world: World) -> None:
    evil = "@**all** | [x](http://evil.example)"
    small_world.people.students_of[1] = (make_student(11, "john_doe", evil),)
    open_concern(small_world, JOHN, LEFT_OPEN, facts={"exams": [[evil, None]], "count": 1})
    small_world.ask(f"snooze john_doe 2 days {evil}")
    texts = [small_world.ask(said).text for said in ("needs", "concerns john_doe", "unsnooze john_doe", "needs")]
    assert all("@**all**" not in text and "](http" not in text for text in texts)


# ---- concerns ----


def test_the_history_of_one_student_says_how_each_ended(world: World) -> None:
    old = open_concern(world, JOHN, SILENT, since_at=NOW - 30 * DAY)
    change_concern(world, old, cleared_at=NOW - 20 * DAY, cleared_facts={"school_days": 9})
    failing = open_concern(world, JOHN, FAILING)
    change_concern(world, failing, cleared_at=NOW - DAY, cleared_facts={"by": "Latin"})
    change_concern(world, failing, seen_by=ARJUN, seen_at=NOW - 2 * DAY)
    gone = open_concern(world, JOHN, LEFT_OPEN)
    change_concern(world, gone, cleared_at=NOW - DAY, cleared_facts=None)
    open_concern(world, JOHN, SILENT)
    open_concern(world, JANE, FAILING)

    assert world.ask("concerns john").text.splitlines() == [
        "☀️ **John Doe (john_doe)** · 4 concerns",
        "",
        "| What | Since | And then |",
        "|---|---|---|",
        "| 💤 silent: did nothing for 7 school days | Tue 10 Mar | open |",
        "| 📝 exam left open: started **Algebra** and did not end it | Tue 10 Mar | over Tue 17 Mar |",
        f"| ⚡ failing: {IN_A_ROW} | Tue 10 Mar | seen to by Arjun Mon 16 Mar; over Tue 17 Mar: passed Latin |",
        "| 💤 silent: did nothing for 7 school days | Mon 16 Feb | over Thu 26 Feb: is back after 9 school days |",
    ]


def test_the_history_says_when_it_was_told_first(world: World) -> None:
    concern = open_concern(world, JOHN, FAILING)
    assert "told" not in world.ask("concerns john").text
    for ago in (1, 3):
        message = world.add_message(zulip_user_id=(MARIA, ARJUN)[ago == 3], state=MessageState.SENT.value)
        with world.store.transaction():
            ConcernTelling.create(
                concern=concern,
                number=0,
                zulip_user_id=message.zulip_user_id,
                message=message,
                created_at=NOW - ago * DAY,
            )
    assert rows_of(world, "concerns john")[0].endswith("| told Sun 15 Mar; open |")
    world.ask("done john")
    assert rows_of(world, "concerns john")[0].endswith("| told Sun 15 Mar; seen to by you Wed 18 Mar |")


def test_a_day_of_another_year_names_the_year(small_world: World) -> None:
    open_concern(small_world, JOHN, SILENT, since_at=NOW - 100 * DAY)
    assert rows_of(small_world)[0].endswith("| Mon 8 Dec 2025 |")


def test_who_saw_to_it_is_you_another_or_somebody(small_world: World) -> None:
    concern = open_concern(small_world, JOHN, FAILING)
    small_world.ask("done john")
    assert "seen to by you Wed 18 Mar" in small_world.ask("concerns john").text
    assert "seen to by Maria Wed 18 Mar" in small_world.ask("concerns john", ARJUN).text
    change_concern(small_world, concern, seen_by=12345)
    assert "seen to by somebody" in small_world.ask("concerns john").text


def test_a_history_goes_on_in_pages_and_says_who_is_put_off(small_world: World) -> None:
    for number in range(23):
        concern = open_concern(small_world, JOHN, SILENT)
        change_concern(small_world, concern, cleared_at=NOW - number * HOUR)
    small_world.ask("snooze john until monday ill")
    first = small_world.ask("concerns john").text
    assert "⏰ Put off until <time:2026-03-23T00:00:00Z>: ill." in first
    assert "`concerns john_doe page 2` shows the next." in first
    assert len(rows_of(small_world, "concerns john page 2")) == 3
    assert "There are only 2 pages." in small_world.ask("concerns john page 3").text
    assert "I could not read what follows the name." in small_world.ask("concerns john today").text
    nothing = "☀️ There was never anything the matter with **Jane Smith (jane_smith)**, as far as I know."
    assert small_world.ask("concerns jane").text == nothing


@pytest.mark.parametrize("said", ["concerns {}", "snooze {} 5 days ill", "unsnooze {}", "done {}", "reopen {}"])
def test_another_mentors_student_and_nobody_read_the_same(small_world: World, said: str) -> None:
    concern = open_concern(small_world, ZOE, FAILING)
    ids = () if said in ("done {}", "reopen {}") else ("14", "77")
    names = ("zoe_m", "Zoë", "norbert", *ids)
    assert {small_world.ask(said.format(name)).text for name in names} == {UNKNOWN_STUDENT}
    assert get_snooze(small_world, ZOE) is None and get_seen_by(small_world, concern) is None


@pytest.mark.parametrize("said", ["concerns zoe", "snooze zoe 5 days", "unsnooze zoe", "reopen zoe"])
def test_an_admins_look_at_another_is_written_down(small_world: World, said: str) -> None:
    assert "Zoë Müller" in small_world.ask(said, ADMIN).text
    assert get_audited(small_world) == [(ZOE.student_id, said.split(maxsplit=1)[0])]


# ---- snooze ----


@pytest.mark.parametrize(
    ("said", "until", "reason"),
    [
        ("5 days ill", NOW + 5 * DAY, "ill"),
        ("5 days", NOW + 5 * DAY, None),
        ("for 2 weeks: broken leg!", NOW + 14 * DAY, "broken leg!"),
        ("until monday", datetime(2026, 3, 23, tzinfo=timezone.utc), None),
        ("until monday At home, with flu", datetime(2026, 3, 23, tzinfo=timezone.utc), "At home, with flu"),
        ("until 2026-04-01", datetime(2026, 4, 1, tzinfo=timezone.utc), None),
        ("until monday 9:00", datetime(2026, 3, 23, 9, tzinfo=timezone.utc), None),
        ("tomorrow", datetime(2026, 3, 19, tzinfo=timezone.utc), None),
    ],
)
def test_a_student_is_put_off(small_world: World, said: str, until: datetime, reason: str | None) -> None:
    reply = small_world.ask(f"snooze john {said}")
    why = f" ({reason})" if reason else ""
    assert f"⏰ **John Doe (john_doe)** is put off until <time:{until:%Y-%m-%dT%H:%M:%SZ}>{why}:" in reply.text
    assert "`unsnooze john_doe` ends it." in reply.text
    assert get_snooze(small_world) == (until, reason, MARIA)


def test_the_last_word_counts_whoever_says_it_and_any_of_them_ends_it(world: World) -> None:
    world.ask("snooze john 5 days ill")
    world.ask("snooze john 2 days", ARJUN)
    assert get_snooze(world) == (NOW + 2 * DAY, None, ARJUN)
    assert world.ask("unsnooze john").text == "⏰ **John Doe (john_doe)** is put off no longer."
    assert world.ask("unsnooze john").text == "⏰ **John Doe (john_doe)** was not put off."
    assert get_snooze(world) is None


@pytest.mark.parametrize(
    ("said", "problem"),
    [
        ("snooze john", "Until when? For example `5 days` or `until monday`."),
        ("snooze john yesterday", "I know who you mean, but not until when."),
        ("snooze john until 2026-03-01", "I know who you mean, but not until when."),
        ("snooze john soon", "I know who you mean, but not until when."),
        ("snooze john 0 days", "I know who you mean, but not until when."),
        ("snooze john whenever", "I know who you mean, but not until when."),
        ("snooze", "Which student?"),
    ],
)
def test_without_a_time_ahead_nobody_is_put_off(small_world: World, said: str, problem: str) -> None:
    text = small_world.ask(said).text
    assert text.startswith(problem) and "Usage: `snooze <student> N days|until <day> [reason]`" in text
    assert get_snooze(small_world) is None


# ---- seen to ----


def test_done_with_a_student_marks_what_is_the_matter_and_says_so(world: World) -> None:
    concerns = [open_concern(world, JOHN, kind) for kind in (FAILING, LEFT_OPEN)]
    other = open_concern(world, JANE, SILENT)
    tell(world, (JOHN, ActivityType.EXAM_FAILED), concerns=())

    assert world.ask("done john").text == (
        "✅ Seen to: 1 event and 2 concerns of **John Doe (john_doe)**."
        " `note john_doe …` writes down what you agreed."
    )
    assert [get_seen_by(world, one) for one in (*concerns, other)] == [MARIA, MARIA, None]
    assert world.ask("done john", ARJUN).text == "✅ Nothing is open of **John Doe (john_doe)**."
    assert world.ask("done all").text == "✅ Seen to: 1 concern. `note <student> …` writes down what you agreed."
    assert get_seen_by(world, other) == MARIA


def test_done_with_an_event_marks_what_was_told_with_it_of_that_student(world: World) -> None:
    of_john, of_jane, untold = (
        open_concern(world, JOHN, FAILING),
        open_concern(world, JANE, FAILING),
        open_concern(world, JOHN, LEFT_OPEN),
    )
    kinds = (JOHN, ActivityType.EXAM_FAILED), (JOSE, ActivityType.EXAM_FAILED)
    (event, another), _ = tell(world, *kinds, concerns=(of_john, of_jane))

    assert world.ask(f"done #{another}").text == f"✅ Seen to: `#{another}`."
    assert get_seen_by(world, of_john) is None
    assert world.ask(f"done #{event}").text == f"✅ Seen to: `#{event}`."
    assert [get_seen_by(world, one) for one in (of_john, of_jane, untold)] == [MARIA, None, None]


def test_reopen_with_an_event_takes_back_what_was_told_with_it_of_that_student(world: World) -> None:
    of_john, of_jane = open_concern(world, JOHN, FAILING), open_concern(world, JANE, FAILING)
    (event,), _ = tell(world, (JOHN, ActivityType.EXAM_FAILED), concerns=(of_john, of_jane))
    world.ask("done all")

    assert world.ask(f"reopen #{event}").text == f"📂 Open again: `#{event}`."
    assert [get_seen_by(world, one) for one in (of_john, of_jane)] == [None, MARIA]
    assert len(rows_of(world)) == 1


def test_reopen_with_a_student_takes_back_what_anybody_said_of_what_is_the_matter(world: World) -> None:
    concerns = [open_concern(world, JOHN, kind) for kind in (FAILING, LEFT_OPEN)]
    over, other = open_concern(world, JOHN, SILENT), open_concern(world, JANE, SILENT)
    for concern in (over, other):
        change_concern(world, concern, seen_by=MARIA, seen_at=NOW)
    change_concern(world, over, cleared_at=NOW)
    world.ask("done john", ARJUN)

    assert world.ask("reopen john").text == "📂 Open again: 2 concerns of **John Doe (john_doe)**."
    assert [get_seen_by(world, one) for one in (*concerns, over, other)] == [None, None, MARIA, MARIA]
    nothing = "📂 Nobody has seen to anything that is the matter with **John Doe (john_doe)** now."
    assert world.ask("reopen john").text == nothing


def test_a_check_mark_marks_all_that_the_message_told_of_until_it_is_taken_away(world: World) -> None:
    concerns = [open_concern(world, JOHN, FAILING), open_concern(world, JANE, SILENT)]
    _, message = tell(world, concerns=tuple(concerns))

    def react(who: int = MARIA, *, is_added: bool = True) -> None:
        note_reaction(world.store, world.context.access, who, message, is_added, NOW)

    react(ARJUN)  # it is not a message to them
    assert [get_seen_by(world, one) for one in concerns] == [None, None]
    react()
    react()
    assert [get_seen_by(world, one) for one in concerns] == [MARIA, MARIA]
    react(is_added=False)
    assert [get_seen_by(world, one) for one in concerns] == [None, None]


def test_a_check_mark_taken_away_leaves_what_another_has_seen_to(world: World) -> None:
    concern = open_concern(world, JOHN, FAILING)
    _, message = tell(world, concerns=(concern,))
    world.ask("done john", ARJUN)
    for is_added in (True, False):
        note_reaction(world.store, world.context.access, MARIA, message, is_added, NOW)
    assert get_seen_by(world, concern) == ARJUN
