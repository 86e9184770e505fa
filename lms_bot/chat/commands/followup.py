"""`open`, `done`, `reopen`: what was seen to, and what is open. What changes something says what it did."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from datetime import timedelta

from lms_bot.chat.commands.rendering import (
    NAME_LENGTH,
    PAGE_ROWS,
    check_page,
    count,
    format_date,
    format_news,
    format_page,
    get_short_names,
    name_of,
    page_note,
)
from lms_bot.chat.language.arguments import Listing, read_listing, read_student
from lms_bot.chat.language.command_finder import ALL
from lms_bot.chat.language.periods import UNCLEAR_PERIOD, Period
from lms_bot.chat.language.question import Answer, Command, Question, WithButtons, WrongArguments
from lms_bot.chat.language.student_index import word_for
from lms_bot.chat.language.words import format_refs, read_numbers, strip_fillers
from lms_bot.core.markdown import code, disarm, event_ref
from lms_bot.insight import seen
from lms_bot.insight.concerns.reads import get_open_concerns
from lms_bot.insight.concerns.tellings import get_concerns_told_with, mark_concerns_reopened, mark_concerns_seen
from lms_bot.outbox.draft import Button
from lms_bot.people.access import Audience

OPEN_DAYS = 30
MOST_BUTTONS = 8
"""Where more is open, a client that shows buttons in place of the text would show a list that is too long."""

HOW_TO_CLOSE = "`done #12`, or ✅ on my message, marks an event as seen to."


def answer_done(question: Question) -> str:
    """Marks the events named; or all that are open, of a student or of everybody the asker was told of."""
    if not strip_fillers(question.words):
        raise WrongArguments("Which events, or of which student?")
    numbers = read_numbers(question.words)
    if numbers:
        return _mark_named(question, numbers)
    if [word.casefold() for word in strip_fillers(question.words)] == [ALL]:
        return _mark_all_open(question, question.students_in_sight, "")
    student, _ = read_student(question)
    question.audit(student.student_id)
    return _mark_all_open(question, [student.student_id], f" of **{name_of(student)}**", word_for(student))


def _mark_named(question: Question, numbers: list[int]) -> str:
    known = seen.get_ids_in_sight(question.asker, numbers)
    concerns = _get_concerns_told_with(question, known)
    before = seen.get_seen_by(known)
    with question.context.store.transaction():
        seen.mark_seen(known, question.zulip_user_id, zulip_message_id=question.message_id, now=question.now)
        mark_concerns_seen(concerns, question.zulip_user_id, question.now)
    fresh = [one for one in known if one not in before]
    lines = [f"✅ Seen to: {format_refs(fresh)}."] if fresh else []
    lines += _format_seen_before(question, before)
    return "\n".join([*lines, *_format_unknown(numbers, known)])


def _get_concerns_told_with(question: Question, event_ids: Collection[int]) -> list[int]:
    """What the asker was told of together with these events, of students they may see."""
    told_with = get_concerns_told_with(event_ids, question.zulip_user_id)
    return [one.concern_id for one in told_with if question.asker.may_see(one.student_id)]


def _format_seen_before(question: Question, seen_by: dict[int, list[int]]) -> list[str]:
    """Who had seen to what before, a line for each group of people."""
    of_people: dict[str, list[int]] = {}
    for event_id, people in seen_by.items():
        of_people.setdefault(" and ".join(_format_person(question, one) for one in people), []).append(event_id)
    return [f"✅ Already seen to by {people}: {format_refs(event_ids)}." for people, event_ids in of_people.items()]


def _format_person(question: Question, zulip_user_id: int) -> str:
    if zulip_user_id == question.zulip_user_id:
        return "you"
    user = question.context.users.get_zulip_user(zulip_user_id)
    return disarm(user.full_name, max_length=NAME_LENGTH) if user else "somebody"


def _mark_all_open(
    question: Question, student_ids: Collection[int] | None, whose: str, word: str = "<student>"
) -> str:
    event_ids = seen.get_open_ids(question.zulip_user_id, student_ids)
    # For everybody, those the asker may act on are their own students': an admin's word on all would hide them all.
    concerned = question.asker.students.keys() if student_ids is None else student_ids
    concerns = [one.concern_id for one in get_open_concerns(concerned) if one.seen_at is None]
    with question.context.store.transaction():
        seen.mark_seen(event_ids, question.zulip_user_id, zulip_message_id=question.message_id, now=question.now)
        mark_concerns_seen(concerns, question.zulip_user_id, question.now)
    if not event_ids and not concerns:
        return f"✅ Nothing is open{whose}."
    what = [count(len(event_ids), "event")] if event_ids else []
    what += [count(len(concerns), "concern")] if concerns else []
    note = f" {code(f'note {word} …')} writes down what you agreed." if concerns else ""
    return f"✅ Seen to: {' and '.join(what)}{whose}.{note}"


def answer_reopen(question: Question) -> str:
    """Takes back that events were seen to, with what was told with them; or of a student, all that is the matter."""
    if not strip_fillers(question.words):
        raise WrongArguments("Which events, or whose concerns?")
    numbers = read_numbers(question.words)
    if not numbers:
        return _reopen_concerns(question)
    known = seen.get_ids_in_sight(question.asker, numbers)
    closed = list(seen.get_seen_by(known))
    with question.context.store.transaction():
        seen.mark_unseen(closed)
        mark_concerns_reopened(_get_concerns_told_with(question, known))
    still = [one for one in known if one not in closed]
    lines = [f"📂 Open again: {format_refs(closed)}."] if closed else []
    lines += [f"📂 Open already: {format_refs(still)}."] if still else []
    return "\n".join([*lines, *_format_unknown(numbers, known)])


def _reopen_concerns(question: Question) -> str:
    student, _ = read_student(question)
    question.audit(student.student_id)
    open_ones = get_open_concerns([student.student_id])
    with question.context.store.transaction():
        reopened = mark_concerns_reopened([one.concern_id for one in open_ones])
    name = f"**{name_of(student)}**"
    if not reopened:
        return f"📂 Nobody has seen to anything that is the matter with {name} now."
    return f"📂 Open again: {count(reopened, 'concern')} of {name}."


def _format_unknown(numbers: Iterable[int], known: Collection[int]) -> list[str]:
    """Of others' students it says no more than of events that never were."""
    unknown = [number for number in numbers if number not in known]
    return [f"You have no event {format_refs(unknown)}."] if unknown else []


def answer_open(question: Question) -> Answer:
    """What the asker was told of students they still have, and nobody has seen to; a few can be clicked away."""
    listing = read_listing(question, question.words) if question.words else Listing()
    if listing is None or listing.is_exam is not None:
        raise WrongArguments(UNCLEAR_PERIOD)
    period = listing.period or Period(
        question.now - timedelta(days=OPEN_DAYS), question.now + timedelta(days=1), f"the last {OPEN_DAYS} days"
    )
    found = seen.get_open_events(
        question.zulip_user_id,
        question.students_in_sight,
        period.start,
        period.end,
        limit=PAGE_ROWS,
        offset=(listing.page - 1) * PAGE_ROWS,
    )
    check_page(listing.page, found.total)
    for student_id in dict.fromkeys(event.student_id for event in found.events):
        question.audit(student_id)
    if not found.total:
        return f"✅ Nothing is open: all you were told of {period.label} is seen to."
    head = f"📂 **Open** · {period.label} · {count(found.total, 'event')}, worst first"
    more = page_note(listing.page, found.total, f"open {listing.said}".strip())
    names = get_short_names(question, {one.student_id for one in found.events})
    rows = [
        (
            one.event_id,
            names[one.student_id],
            format_news(one),
            format_date(one.timestamp, question.zone, question.now),
        )
        for one in found.events
    ]
    cells = [[name, f"{what} {event_ref(event_id)}", when] for event_id, name, what, when in rows]
    text = format_page(head, ("Student", "What", "When"), cells, [more, HOW_TO_CLOSE])
    if found.total > MOST_BUTTONS:
        return text
    buttons = [Button(f"Seen to #{number}", f"done #{number}", " · ".join(about)) for number, *about in rows]
    return WithButtons(text, tuple(buttons), head)


COMMANDS = (
    Command(
        "open", "open [period] [page N]", "what you were told and nobody has seen to, worst first", Audience.KNOWN,
        "open", answer_open, aliases=("todo",), is_about_own_students=True,
    ),
    Command(
        "done", "done <event>…|<student>|all", "mark events as seen to, as ✅ on my message does", Audience.KNOWN,
        "done #12 #15", answer_done, aliases=("seen",), is_about_own_students=True, changes=True,
    ),
    Command(
        "reopen", "reopen <event>…|<student>", "take back that events, or a student's concerns, were seen to",
        Audience.KNOWN, "reopen #12",
        answer_reopen, aliases=("undone",), is_about_own_students=True, changes=True,
    ),
)  # fmt: skip
