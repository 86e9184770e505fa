"""`open`, `done`, `reopen`: what was seen to, and what is open."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import TYPE_CHECKING

from lms_bot.core.activities import ActivityType
from lms_bot.insight.seen import get_seen_by
from lms_bot.store.conversation import AuditEntry
from lms_bot.store.messages import DeliveryState, MessageState
from tests.worlds.chat_world import ADMIN, ARJUN, JANE, JOHN, JOSE, MARIA, ZOE, World, make_student

if TYPE_CHECKING:
    from lms_bot.lms.people import Student

HOUR, DAY = timedelta(hours=1), timedelta(days=1)
FAILED, PASSED, STARTED = ActivityType.EXAM_FAILED, ActivityType.EXAM_PASSED, ActivityType.EXAM_STARTED
WATCHED, LESSON = ActivityType.CONTENT_WATCHED, ActivityType.CONTENT_STARTED


def tell(
    world: World,
    student: Student,
    kind: ActivityType = FAILED,
    *,
    to: tuple[int, ...] = (MARIA,),
    ago: timedelta = HOUR,
    state: DeliveryState = DeliveryState.SENT,
    attempt_id: int | None = None,
) -> int:
    """An event these people were told of; its number."""
    event = world.add_event(student, kind, ago=ago, attempt_id=attempt_id)
    for person in to:
        message = world.add_message(
            zulip_user_id=person, state=MessageState.SENT.value, zulip_message_id=1000 * person + event.event_id
        )
        world.add_delivery(event, f"zulip:{person}", state=state.value, message=message)
    return int(event.event_id)


def seen_by(world: World, event_id: int) -> list[int]:
    with world.store.session():
        return get_seen_by([event_id]).get(event_id, [])


def opens(world: World, said: str = "open", who: int = MARIA) -> list[int]:
    """The numbers of the events listed, in their order."""
    rows = [line for line in world.ask(said, who).text.splitlines() if re.search(r"`#\d+` \|", line)]
    return [int(row.split("`#")[1].split("`")[0]) for row in rows]


def test_open_lists_what_one_was_told_and_nobody_has_seen_to(world: World) -> None:
    shown = tell(world, JOHN)
    tell(world, ZOE, to=(ARJUN,))
    tell(world, JOHN, state=DeliveryState.PENDING)
    tell(world, JOHN, state=DeliveryState.UNWANTED)
    tell(world, JOHN, ago=31 * DAY)
    seen = tell(world, JANE)
    world.ask(f"done #{seen}")

    reply = world.ask("open")

    assert reply.is_private and opens(world) == [shown]
    assert "📂 **Open** · the last 30 days · 1 event, worst first" in reply.text
    row = f"| John Doe | ❌ 85% Mathematics Final Exam `#{shown}` | Wed 18 Mar |"
    assert row in reply.text
    assert "`done #12`" in reply.text


def test_open_is_worst_first_failed_then_left_so_then_the_newest(world: World) -> None:
    passed = tell(world, JOHN, PASSED, ago=HOUR)
    finished = tell(world, JOHN, STARTED, ago=3 * HOUR, attempt_id=500)
    world.add_event(JOHN, PASSED, ago=2 * HOUR, attempt_id=500)
    left = tell(world, JANE, STARTED, ago=5 * HOUR, attempt_id=501)
    lesson = tell(world, JANE, LESSON, ago=6 * HOUR, attempt_id=500)
    failed = tell(world, JOSE, FAILED, ago=4 * DAY)

    assert opens(world) == [failed, left, lesson, passed, finished]

    world.read_again(JANE, STARTED, attempt_id=501, is_withdrawn=True)
    assert opens(world) == [failed, lesson, passed, finished, left]


def test_open_takes_a_period_and_goes_on_in_pages(small_world: World) -> None:
    told = [tell(small_world, JOHN, ago=number * HOUR) for number in range(1, 24)]
    tell(small_world, JOHN, ago=3 * DAY)

    first = small_world.ask("open 1 day")

    assert opens(small_world, "open 1 day") == told[:20]
    assert "Page 1 of 2" in first.text and "`open 1 day page 2`" in first.text
    assert opens(small_world, "open 1 day page 2") == told[20:]
    assert "There are only 2 pages" in small_world.ask("open page 3").text
    assert "Usage: `open [period] [page N]`" in small_world.ask("open sesame").text


def test_a_student_one_no_longer_has_is_no_longer_listed(small_world: World) -> None:
    tell(small_world, JOHN)
    assert opens(small_world)
    small_world.people.students_of[1] = (JANE,)

    assert not opens(small_world)
    assert "Nothing is open" in small_world.ask("open").text


def test_an_admin_sees_what_they_were_told_of_anybody_and_that_is_written_down(small_world: World) -> None:
    shown = tell(small_world, ZOE, to=(ADMIN,))

    assert opens(small_world, who=ADMIN) == [shown]
    with small_world.store.session():
        assert [(entry.zulip_user_id, entry.student_id) for entry in AuditEntry.select()] == [(ADMIN, ZOE.student_id)]


def test_what_one_mentor_has_seen_to_is_open_for_none(world: World) -> None:
    event = tell(world, JOHN, to=(MARIA, ARJUN))

    assert world.ask(f"done #{event}").text == f"✅ Seen to: `#{event}`."
    assert not opens(world) and not opens(world, who=ARJUN)
    assert world.ask(f"done {event}", ARJUN).text == f"✅ Already seen to by Maria: `#{event}`."
    assert world.ask(f"done #{event}").text == f"✅ Already seen to by you and Arjun: `#{event}`."


def test_several_are_done_at_once_and_unknown_ones_read_as_those_of_others(world: World) -> None:
    first, second, others = tell(world, JOHN), tell(world, JANE), tell(world, ZOE, to=(ARJUN,))

    text = world.ask(f"done #{first}, #{second} and #{others}").text

    assert text == f"✅ Seen to: `#{first}`, `#{second}`.\nYou have no event `#{others}`."
    assert world.ask("done #9999").text == "You have no event `#9999`."
    assert world.ask(f"reopen #{others}").text == f"You have no event `#{others}`."
    assert opens(world, who=ARJUN) == [others]


def test_all_of_a_student_or_of_everybody_are_done_by_name(world: World) -> None:
    for student in (JOHN, JOHN, JANE):
        tell(world, student, ago=40 * DAY)

    assert world.ask("done john_doe").text == "✅ Seen to: 2 events of **John Doe (john_doe)**."
    assert world.ask("done john_doe").text == "✅ Nothing is open of **John Doe (john_doe)**."
    assert world.ask("done all").text == "✅ Seen to: 1 event."
    assert "Which one do you mean" in world.ask("done jo").text
    assert world.ask("done zoe").text == world.ask("done nobody").text
    assert "Usage:" in world.ask("done").text


def test_reopen_takes_it_back_whoever_said_it(world: World) -> None:
    event = tell(world, JOHN, to=(MARIA, ARJUN))
    world.ask(f"done #{event}", ARJUN)

    assert world.ask(f"reopen #{event}").text == f"📂 Open again: `#{event}`."
    assert world.ask(f"reopen #{event}").text == f"📂 Open already: `#{event}`."
    assert opens(world) == [event] and seen_by(world, event) == []
    assert world.ask("reopen").text.startswith("Which events, or whose concerns?")


def test_thousands_of_events_can_be_done_at_once(small_world: World) -> None:
    many = [make_student(number, f"student{number}") for number in range(100, 102)]
    small_world.people.students_of[1] = tuple(many)
    with small_world.store.transaction():
        for number in range(1100):
            tell(small_world, many[number % 2])

    assert small_world.ask("done all").text == "✅ Seen to: 1,100 events."
    assert not opens(small_world)


def test_a_few_that_are_open_can_be_clicked_away(small_world: World) -> None:
    numbers = [tell(small_world, JOHN, ago=ago * HOUR) for ago in (1, 2, 3)]
    reply = small_world.ask("open")
    assert reply.is_private and [one.says for one in reply.buttons] == [f"done #{one}" for one in numbers]
    assert all("John Doe" in one.meaning and "❌" in one.meaning for one in reply.buttons)
    small_world.ask(reply.buttons[0].says)
    assert [one.says for one in small_world.ask("open").buttons] == [f"done #{one}" for one in numbers[1:]]
    for ago in range(4, 12):
        tell(small_world, JANE, ago=ago * HOUR)
    assert small_world.ask("open").buttons == ()
