"""What was chosen for a person, worded and written down as messages that are ready to be sent."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, tzinfo

from lms_bot.core.errors import without_words
from lms_bot.core.markdown import MAX_MESSAGE_LENGTH, time_tag
from lms_bot.insight.concerns import tellings
from lms_bot.insight.reports.students import StoredStudent, get_stored_students
from lms_bot.notify.concern_wording import format_concern, short_name
from lms_bot.notify.formatter import MessageFormatter
from lms_bot.notify.formatters import Formatters
from lms_bot.notify.grouping import Choice
from lms_bot.notify.person_news import change_person
from lms_bot.notify.preferences import Pace, Preferences
from lms_bot.notify.welcome import BELOW, format_welcome
from lms_bot.outbox.draft import Draft
from lms_bot.outbox.outbox import Outbox
from lms_bot.store.concerns import Concern, PersonNews
from lms_bot.store.deliveries import Deliveries
from lms_bot.store.messages import Delivery, DeliveryState, Lane, Message

logger = logging.getLogger(__name__)

MOST_CONCERNS = 30
"""In one message; the next carries more."""


@dataclass(frozen=True)
class Owing:
    """All that is owed to one person, in the caller's transaction."""

    person: int
    deliveries: Sequence[Delivery]
    concerns: Sequence[Concern] = ()


def concern_key(concern: Concern) -> tuple[str, int]:
    """By which it is told from deliveries among what waits."""
    return "concern", concern.concern_id


@dataclass
class _Page:
    content: str
    deliveries: list[Delivery] = field(default_factory=list)
    concerns: list[Concern] = field(default_factory=list)


class MessageWriter:
    """Words with the formatter of the person's level. A formatter that fails makes errors that can be retried."""

    def __init__(self, deliveries: Deliveries, outbox: Outbox, formatters: Formatters) -> None:
        self._deliveries = deliveries
        self._outbox = outbox
        self._formatters = formatters

    def write(
        self, owing: Owing, choice: Choice, preferences: Preferences, known: PersonNews, zone: tzinfo, now: datetime
    ) -> int:
        """Writes down what was chosen of what is owed. Returns how many messages that were."""
        formatter = self._formatters.choose(preferences.general)
        keys = {one.key for one in choice.now}
        told = [one for one in owing.deliveries if one.delivery_id in keys]
        concerns = [one for one in owing.concerns if concern_key(one) in keys][:MOST_CONCERNS]
        pages = (
            self._make_pages(told, formatter, zone, now)
            if choice.is_gathered
            else [page for one in told for page in self._make_pages([one], formatter, zone, now)]
        )
        _add_concerns(pages, concerns, says_rows=bool(getattr(formatter, "tells_failures_in_row", False)))
        if pages and known.welcomed_at is None:
            _add_welcome(pages, preferences)
            change_person(known, welcomed_at=now)
        urgent = {one.key for one in choice.now if one.pace is Pace.URGENT or one.event_type == "exam_failed"}
        for page in pages:
            is_urgent = bool(page.concerns) or any(one.delivery_id in urgent for one in page.deliveries)
            message = self._write_down(page, owing.person, Lane.URGENT if is_urgent else Lane.ROUTINE, now)
            tellings.mark_told(owing.person, page.concerns, message, now)
        return len(pages)

    def _make_pages(
        self, deliveries: Sequence[Delivery], formatter: MessageFormatter, zone: tzinfo, now: datetime
    ) -> list[_Page]:
        of_event = {one.event_id: one for one in deliveries}
        try:
            if len(deliveries) == 1:
                text = formatter.format_notification_message(deliveries[0].event)
                return [_Page(_say_when(text, deliveries[0], now, zone), list(deliveries))]
            pages = [
                _Page(content, [of_event.pop(event_id) for event_id in event_ids])
                for content, event_ids in formatter.format_group_messages([one.event for one in deliveries])
            ]
        except Exception as error:  # a formatter may be anybody's subclass
            self._give_up(deliveries, error, now)
            return []
        if of_event:
            self._give_up(list(of_event.values()), LookupError("left out"), now)
        return pages

    def _write_down(self, page: _Page, person: int, lane: Lane, now: datetime) -> Message:
        message = self._outbox.write(Draft(person, page.content, lane, is_gathered=len(page.deliveries) > 1), now)
        if page.deliveries:
            self._deliveries.put_into(message, page.deliveries, now)
        return message

    def _give_up(self, deliveries: Sequence[Delivery], error: Exception, now: datetime) -> None:
        event_ids = [one.event_id for one in deliveries]
        logger.error("the formatter failed for events %s", event_ids, exc_info=without_words(error))
        reason = f"the message could not be written: {type(error).__name__} in the formatter"
        self._deliveries.end(deliveries, DeliveryState.DEAD, reason, now)


def _add_concerns(pages: list[_Page], concerns: Sequence[Concern], *, says_rows: bool) -> None:
    """Each on the page that tells of a failure of the student, where that says as much; else as a line of its own."""
    alone: list[_Page] = []
    students = {one.student_id: one for one in get_stored_students({one.student_id for one in concerns})}
    for concern in concerns:
        page = next((one for one in pages if says_rows and _says(one, concern)), None)
        if page is not None:
            page.concerns.append(concern)
            continue
        known = students.get(concern.student_id, StoredStudent(concern.student_id, None, None))
        name = short_name(known.student_id, known.username, known.display_name)
        line = format_concern(concern, name)[:MAX_MESSAGE_LENGTH]
        if not alone or len(alone[-1].content) + 1 + len(line) > MAX_MESSAGE_LENGTH:
            alone.append(_Page(line, [], [concern]))
        else:
            alone[-1].content += f"\n{line}"
            alone[-1].concerns.append(concern)
    if alone and pages and len(alone[-1].content) + len(BELOW) + len(pages[0].content) <= MAX_MESSAGE_LENGTH:
        last = alone.pop()
        pages[0].content = f"{last.content}\n\n{pages[0].content}"
        pages[0].concerns += last.concerns
    pages[:0] = alone


def _says(page: _Page, concern: Concern) -> bool:
    """Whether the page tells of a failure of the student as one of several."""
    known = (one.event.so_far for one in page.deliveries if one.event.student_id == concern.student_id)
    return any(one is not None and max(one.failures_in_row, one.failures_of_exam) >= 3 for one in known)


def _add_welcome(pages: list[_Page], preferences: Preferences) -> None:
    """Below the first message, or in one of its own where there is no room."""
    text = format_welcome(preferences)
    if len(pages[0].content) + len(BELOW) + len(text) <= MAX_MESSAGE_LENGTH:
        pages[0].content += BELOW + text
    else:
        pages.append(_Page(text))


def _say_when(content: str, delivery: Delivery, now: datetime, zone: tzinfo) -> str:
    """What did not happen today says when it did."""
    happened_at = delivery.event.timestamp
    if happened_at.astimezone(zone).date() == now.astimezone(zone).date():
        return content
    said = f"{content}\n🕒 {time_tag(happened_at)}"
    return said if len(said) <= MAX_MESSAGE_LENGTH else content
