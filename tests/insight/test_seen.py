"""A check mark on a message of the bot's."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import TYPE_CHECKING

from lms_bot.core.activities import ActivityType
from lms_bot.insight.seen import get_seen_by, note_reaction
from lms_bot.store.messages import Delivery, DeliveryState, MessageState
from tests.worlds.chat_world import ARJUN, JANE, JOHN, MARIA, NOW, World

if TYPE_CHECKING:
    from lms_bot.lms.people import Student

HOUR, DAY = timedelta(hours=1), timedelta(days=1)
FAILED, PASSED, STARTED = ActivityType.EXAM_FAILED, ActivityType.EXAM_PASSED, ActivityType.EXAM_STARTED


def tell(
    world: World,
    student: Student,
    kind: ActivityType = FAILED,
    *,
    to: tuple[int, ...] = (MARIA,),
    ago: timedelta = HOUR,
    state: DeliveryState = DeliveryState.SENT,
    activity_id: int | None = None,
) -> int:
    """An event these people were told of; its number."""
    event = world.add_event(student, kind, ago=ago, **({"activity_id": activity_id} if activity_id else {}))
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


def react(world: World, event_id: int, *, by: int = MARIA, on: int | None = None, is_added: bool = True) -> int:
    """Somebody adds ✅ to, or removes it from, the message of `on` (their own if not given) about this event."""
    return note_reaction(world.store, world.context.access, by, 1000 * (on or by) + event_id, is_added, NOW)


def test_a_check_mark_on_a_message_marks_its_events_and_without_it_they_are_open_again(world: World) -> None:
    event = tell(world, JOHN, to=(MARIA, ARJUN))
    with world.store.transaction():
        message = Delivery.get(Delivery.event == event, Delivery.zulip_user_id == MARIA).message
    together = world.add_event(JANE, PASSED)
    world.add_delivery(together, f"zulip:{MARIA}", state=DeliveryState.SENT.value, message=message)

    assert react(world, event) == 2
    assert react(world, event) == 0  # heard of twice
    assert not opens(world) and not opens(world, who=ARJUN)
    assert react(world, event, is_added=False) == 2
    assert set(opens(world)) == {event, together.event_id}


def test_taking_a_check_mark_away_takes_back_only_what_it_said(world: World) -> None:
    event, other = tell(world, JOHN, to=(MARIA, ARJUN)), tell(world, JANE)
    react(world, event, by=ARJUN)
    react(world, event)
    world.ask(f"done #{other}")
    react(world, other)

    react(world, event, is_added=False)
    react(world, other, is_added=False)

    assert seen_by(world, event) == [ARJUN] and seen_by(world, other) == [MARIA]


def test_a_check_mark_means_nothing_on_messages_of_others_or_about_others(world: World) -> None:
    event = tell(world, JOHN, to=(MARIA, ARJUN))

    assert react(world, event, by=ARJUN, on=MARIA) == 0
    assert note_reaction(world.store, world.context.access, MARIA, 424242, True, NOW) == 0
    world.people.students_of[1] = (JANE,)
    assert react(world, event) == 0
    assert seen_by(world, event) == []
