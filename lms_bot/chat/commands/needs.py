"""`needs`, `concerns`, `snooze`: who needs the mentor now, what was the matter with whom, and who is put off."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any, NamedTuple

from lms_bot.chat.commands.rendering import (
    NAME_LENGTH,
    NO_STUDENTS,
    PAGE_ROWS,
    check_page,
    count,
    format_date,
    format_page,
    get_short_names,
    name_of,
    page_note,
)
from lms_bot.chat.language.arguments import Listing, get_everybody, read_listing, read_page, read_student
from lms_bot.chat.language.moments import parse_moment
from lms_bot.chat.language.question import Command, Question, WrongArguments
from lms_bot.chat.language.student_index import word_for
from lms_bot.chat.language.words import get_said, strip_trailing_fillers
from lms_bot.core.markdown import code, disarm, glue, time_tag
from lms_bot.insight.concerns.reads import count_history, get_history
from lms_bot.insight.concerns.tellings import get_first_told, get_snoozes
from lms_bot.insight.digest import Needs, get_needs
from lms_bot.lms.people import Student
from lms_bot.notify.concern_wording import (
    emoji_of_concern,
    format_end,
    format_reason,
    name_of_concern,
)
from lms_bot.people.access import Audience
from lms_bot.store.concerns import Concern, Snooze

SHOWN_IN_SHORT = 5
LONGEST_REASON = 300
MOST_WORDS_OF_TIME = 6
NEEDS_HEADERS = ("Student", "Why", "Since")


def answer_needs(question: Question) -> str:
    students = question.own_students
    if not students:
        return NO_STUDENTS
    return _list_needs(question, "your", students)


def answer_needs_all(question: Question) -> str:
    students = get_everybody(question)
    question.audit(None)
    return _list_needs(question, "all", students)


def get_active(students: Mapping[int, Student]) -> set[int]:
    """Of whom something is expected."""
    return {student_id for student_id, student in students.items() if student.is_active}


def _list_needs(question: Question, whose: str, students: Mapping[int, Student]) -> str:
    page, active = read_page(question), get_active(students)
    needs = get_needs(active, question.now)
    rows_total = len(needs.concerns)
    check_page(page, rows_total)
    shown = needs.concerns[(page - 1) * PAGE_ROWS : page * PAGE_ROWS]
    names = get_short_names(question, {one.student_id for one in needs.concerns}, students)
    who = len({one.student_id for one in needs.concerns})
    said = f"{count(who, 'student')} of {whose} {len(active):,} {'needs' if who == 1 else 'need'} you"
    nobody = f"Nobody of {whose} {count(len(active), 'student')} needs you now"
    head = f"☀️ **{said if who else nobody}**"
    rows = [_needs_row(question, names[one.student_id], one) for one in shown]
    notes = [*_say_rest(question, needs, students), page_note(page, rows_total, question.command)]
    if not rows:
        return "\n\n".join(filter(None, [head, *notes]))
    first = students[shown[0].student_id]
    done, snooze = code(f"done {word_for(first)}"), code(f"snooze {word_for(first)} 5 days")
    how = f"{done} marks as seen to, {snooze} puts off."
    return format_page(head, NEEDS_HEADERS, rows, [*notes, how])


def _needs_row(question: Question, name: str, one: Concern) -> list[object]:
    return [glue(emoji_of_concern(one.kind), name), format_reason(one), _day(question, one.since_at)]


def _say_rest(question: Question, needs: Needs, students: Mapping[int, Student]) -> list[str]:
    """What is not among the rows, and why."""
    lines = []
    if needs.is_quiet_everywhere:
        lines.append(f"💤 Quiet everywhere: {count(needs.silent, 'student')} silent. Holidays?")
    snoozed = get_snoozes(get_active(students), question.now)
    if snoozed:
        names = get_short_names(question, snoozed, students)
        shown = [f"{names[key]} until {time_tag(one.until)}" for key, one in list(snoozed.items())[:SHOWN_IN_SHORT]]
        more = f" and {len(snoozed) - len(shown)} more" if len(snoozed) > len(shown) else ""
        lines.append(f"⏰ Put off: {', '.join(shown)}{more}.")
    if needs.seen:
        lines.append(f"✅ {count(needs.seen, 'concern')} more, which somebody has seen to.")
    return lines


def format_needs_in_short(question: Question, students: Mapping[int, Student], needs: Needs) -> list[str]:
    """The most urgent, a line each, and how to see all; nothing where nobody needs the mentor."""
    if not needs.concerns:
        return []
    shown = needs.concerns[:SHOWN_IN_SHORT]
    names = get_short_names(question, {one.student_id for one in shown}, students)
    lines = [
        f"{emoji_of_concern(one.kind)} **{names[one.student_id]}** {format_reason(one)}"
        f" · since {_day(question, one.since_at)}"
        for one in shown
    ]
    more = len(needs.concerns) - len(shown)
    return [*lines, f"… and {more} more: {code('needs')}"] if more else lines


def answer_concerns(question: Question) -> str:
    """The history of one student's concerns, the last opened first."""
    student, listing = read_student(question, lambda words: _read_page(question, words))
    question.audit(student.student_id)
    page = (listing or Listing()).page
    total = count_history(student.student_id)
    name = name_of(student)
    if not total:
        return f"☀️ There was never anything the matter with **{name}**, as far as I know."
    check_page(page, total)
    found = get_history(student.student_id, PAGE_ROWS, (page - 1) * PAGE_ROWS)
    told = get_first_told([one.concern_id for one in found])
    rows = [_history_row(question, one, told.get(one.concern_id)) for one in found]
    snooze = get_snoozes([student.student_id], question.now).get(student.student_id)
    notes = [_say_snooze(snooze), page_note(page, total, f"concerns {word_for(student)}")]
    head = f"☀️ **{name}** · {count(total, 'concern')}"
    return format_page(head, ("What", "Since", "And then"), rows, notes)


def _read_page(question: Question, words: tuple[str, ...]) -> Listing | None:
    """`page N` alone."""
    listing = read_listing(question, words)
    return listing if listing == Listing(page=listing.page if listing else 1) else None


def _history_row(question: Question, one: Concern, told_at: datetime | None) -> list[object]:
    what = f"{emoji_of_concern(one.kind)} {name_of_concern(one.kind)}: {format_reason(one)}"
    return [what, _day(question, one.since_at), "; ".join(_what_then(question, one, told_at))]


def _what_then(question: Question, one: Concern, told_at: datetime | None) -> list[str]:
    said = [f"told {_day(question, told_at)}"] if told_at else []
    if one.seen_by is not None and one.seen_at is not None:
        said.append(f"seen to by {_person(question, one.seen_by)} {_day(question, one.seen_at)}")
    if one.cleared_at is not None:
        how = format_end(one)
        return [*said, f"over {_day(question, one.cleared_at)}{f': {how}' if how else ''}"]
    return [*said, "open"] if one.seen_at is None else said


def _person(question: Question, zulip_user_id: int) -> str:
    if zulip_user_id == question.zulip_user_id:
        return "you"
    user = question.context.users.get_zulip_user(zulip_user_id)
    return disarm(user.full_name, max_length=NAME_LENGTH) if user is not None else "somebody"


def _day(question: Question, moment: datetime) -> str:
    return format_date(moment, question.zone, question.now)


def _say_snooze(snooze: Snooze | None) -> str:
    if snooze is None:
        return ""
    why = f": {disarm(snooze.reason, max_length=LONGEST_REASON)}" if snooze.reason else ""
    return f"⏰ Put off until {time_tag(snooze.until)}{why}."


class _PutOff(NamedTuple):
    until: datetime
    reason: str


def answer_snooze(question: Question) -> str:
    """Puts a student off, for all their mentors: nobody is told of their concerns until then."""
    student, put_off = read_student(
        question, lambda words: _read_time(question, words), unclear="I know who you mean, but not until when."
    )
    if put_off is None:
        raise WrongArguments("Until when? For example `5 days` or `until monday`.")
    question.audit(student.student_id)
    row: dict[str, Any] = {"until": put_off.until, "reason": put_off.reason[:LONGEST_REASON] or None}
    row |= {"zulip_user_id": question.zulip_user_id, "created_at": question.now}
    with question.context.store.transaction():
        Snooze.insert(student_id=student.student_id, **row).on_conflict(
            conflict_target=[Snooze.student_id],
            preserve=[Snooze.until, Snooze.reason, Snooze.zulip_user_id, Snooze.created_at],
        ).execute()
    why = f" ({disarm(put_off.reason, max_length=LONGEST_REASON)})" if put_off.reason else ""
    return (
        f"⏰ **{name_of(student)}** is put off until {time_tag(put_off.until)}{why}: none of their mentors is told of"
        f" what is the matter until then. Results come as usual. {code(f'unsnooze {word_for(student)}')} ends it."
    )


def _read_time(question: Question, words: tuple[str, ...]) -> _PutOff | None:
    """A time, and what follows as the reason: the longest beginning that is a time."""
    for end in range(min(len(words), MOST_WORDS_OF_TIME), 0, -1):
        said = " ".join(words[:end]).casefold().removeprefix("for ")
        moment = parse_moment(said, question.now, question.zone)
        if moment is not None and moment > question.now:
            reason = strip_trailing_fillers(words[end:])
            return _PutOff(moment, get_said(reason[1:] if reason[:1] in (("please",), ("pls",)) else reason))
    return None


def answer_unsnooze(question: Question) -> str:
    student, _ = read_student(question)
    question.audit(student.student_id)
    with question.context.store.transaction():
        ended = Snooze.delete().where(Snooze.student_id == student.student_id).execute()
    was = "is put off no longer." if ended else "was not put off."
    return f"⏰ **{name_of(student)}** {was}"


COMMANDS = (
    Command(
        "needs", "needs [page N]", "who of your students needs you now, the most urgent first, and why",
        Audience.MENTORS, "needs", answer_needs, aliases=("need",), is_about_own_students=True,
    ),
    Command(
        "concerns", "concerns <student> [page N]", "what was the matter with a student, since when, and how it ended",
        Audience.KNOWN, "concerns {student}", answer_concerns, aliases=("concern",), is_about_own_students=True,
    ),
    Command(
        "snooze", "snooze <student> N days|until <day> [reason]", "put a student off: no concern is told until then",
        Audience.KNOWN, "snooze {student} 5 days ill", answer_snooze, is_about_own_students=True, changes=True,
    ),
    Command(
        "unsnooze", "unsnooze <student>", "put a student off no longer", Audience.KNOWN, "unsnooze {student}",
        answer_unsnooze, is_about_own_students=True, changes=True,
    ),
)  # fmt: skip


ADMIN_COMMANDS = (
    Command(
        "needs all", "needs [page N] all", "who of all students needs somebody, the most urgent first",
        Audience.ADMINS, "needs all", answer_needs_all,
    ),
)  # fmt: skip
