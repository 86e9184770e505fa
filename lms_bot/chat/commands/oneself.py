"""`settings`, `whoami`, `test`: what somebody chose, how they are seen here, and what they would be told."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from datetime import timedelta
from functools import partial

from lms_bot.chat.commands.notify import format_told
from lms_bot.chat.commands.quiet import format_mutes, format_times
from lms_bot.chat.commands.rendering import MAX_LENGTH, NAME_LENGTH, count, name_of
from lms_bot.chat.commands.status import (
    format_digest_time,
    format_held_back,
    format_watch,
    get_mutes,
    get_own_held_back,
    get_preferences,
    is_ahead,
)
from lms_bot.chat.language.question import Command, Question
from lms_bot.core.activities import ActivityType
from lms_bot.core.errors import LMSBotError
from lms_bot.core.markdown import code, disarm, fit_lines
from lms_bot.insight.digest import Digest
from lms_bot.insight.reports.outgoing import count_dead, count_unsent
from lms_bot.notify.concern_wording import format_concern
from lms_bot.notify.digest_message import format_digest
from lms_bot.people.access import Audience
from lms_bot.store.concerns import Concern, ConcernKind
from lms_bot.store.models import LMSActivityEvent

logger = logging.getLogger(__name__)

NAMES_SHOWN = 5
NO_EVENT = 0
"""The number of a sample's event: none has it."""

SAMPLE_NAME = "Sample Student"
HOW_TO_CHANGE = (
    "Change it with `notify`, `watch`, `unwatch`, `digest`, `mute`, `unmute`, `quiet` and `workdays`;"
    " `help notify` shows how."
)
SAMPLES_HEAD = "🧪 **Samples** of how I tell you of a student. Nobody did any of this, and nothing is written down."
BETWEEN_SAMPLES = "\n\n---\n\n"

_SCORED = {"score": 42, "percentage": 84, "result": "pass", "time_taken": "0:45:00"}
_KNOWN: dict[ActivityType, dict[str, object]] = {
    ActivityType.EXAM_COMPLETED: _SCORED,
    ActivityType.EXAM_PASSED: _SCORED,
    ActivityType.EXAM_FAILED: {**_SCORED, "score": 18, "percentage": 36, "result": "fail"},
}
_LESSON = {"course_title": "Sample Course", "chapter_name": "Sample Chapter", "content_type": "video"}


def answer_test(question: Question) -> str:
    """A message of each kind, as the configured formatter writes it, a concern and a digest; of nobody."""
    formatter = question.context.formatters.choose(get_preferences(question).general)
    events = list(_make_samples(question))
    samples = [_format_sample(one.event_type, partial(formatter.format_notification_message, one)) for one in events]
    samples.append(_format_sample("group", lambda: formatter.format_group_messages(events)[0][0]))
    concern, digest = _make_digest(question)
    samples += [format_concern(concern, SAMPLE_NAME), format_digest(digest)]
    return _join_samples(samples)


def _make_samples(question: Question) -> Iterator[LMSActivityEvent]:
    for number, kind in enumerate(ActivityType):
        yield LMSActivityEvent(
            event_id=NO_EVENT,
            event_type=kind.value,
            student_id=NO_EVENT,
            student_username="sample_student",
            student_display_name=SAMPLE_NAME,
            activity_id=number,
            activity_title="Sample Exam" if kind.is_exam else "Sample Lesson",
            activity_metadata={**_KNOWN.get(kind, {} if kind.is_exam else _LESSON)},  # a formatter may change it
            timestamp=question.now - timedelta(hours=1),
        )


def _make_digest(question: Question) -> tuple[Concern, Digest]:
    """A concern, and the digest that tells of another."""
    since, now = question.now - timedelta(days=9), question.now
    failing = {"in_row": 3, "exams": ["Sample Exam", "Another Sample"], "percentages": [36.0, 41.0]}
    urgent = Concern(student_id=NO_EVENT, kind=ConcernKind.FAILING.value, since_at=since, facts=failing)
    silent = Concern(student_id=NO_EVENT, kind=ConcernKind.SILENT.value, since_at=since, facts={"school_days": 7})
    names = {NO_EVENT: SAMPLE_NAME}
    return urgent, Digest(now - timedelta(days=1), now, students=1, fresh=[silent], names=names)


def _format_sample(kind: str, make: Callable[[], str]) -> str:
    try:
        return make()
    except Exception as error:  # a formatter may be anybody's subclass, and this is how to try it
        logger.exception("the formatter failed for a sample of %s", kind)
        return f"❌ {code(kind)}: the formatter fails ({code(type(error).__name__)})."


def _join_samples(samples: Sequence[str]) -> str:
    """As many as fit a message: a formatter may write any length."""
    text = SAMPLES_HEAD
    for shown, sample in enumerate(samples):
        longer = f"{text}{BETWEEN_SAMPLES}{sample}"
        if len(longer) > MAX_LENGTH:
            return f"{text}\n\n… and {len(samples) - shown} more, too long for one message."
        text = longer
    return text


def answer_whoami(question: Question) -> str:
    lines = [*_describe(question), "", "**What reaches you**", "", *(f"- {line}" for line in _explain_news(question))]
    return "\n".join(lines)[:MAX_LENGTH]


def _describe(question: Question) -> Iterator[str]:
    asker, user = question.asker, question.asker.zulip_user
    assert user is not None
    why = ", since your Zulip profile names no zone that I know" if question.has_unknown_zone else ""
    yield f"🪪 **{_name(user.full_name)}** · Zulip user {code(user.user_id)} · time zone {question.zone}{why}"
    yield from _describe_mentor(question)
    with suppress(LMSBotError):
        if question.context.access.identify_as_student(asker) is not None:
            yield f"🎓 **Student** as well: {code('student me')}, {code('history me')}, {code('chart me')}."
    if asker.is_admin:
        by_setting = f"the bot's setting {code('LMS_ADMINS')} names you"
        why_admin = "an owner or administrator of this Zulip organization" if user.is_admin else by_setting
        yield f"🛠️ **Admin**, as {why_admin}."


def _describe_mentor(question: Question) -> Iterator[str]:
    asker = question.asker
    if not asker.mentors:
        return
    logins = _list_names([_name(mentor.username) for mentor in asker.mentors])
    if asker.trouble is not None:
        yield f"👥 **Mentor** in the LMS as {logins}; of whom cannot be known now: the LMS does not answer."
        return
    own = [one for one in asker.students.values() if one.student_id not in asker.students_below]
    names = _list_names([name_of(one) for one in own])
    yield f"👥 **Mentor** in the LMS as {logins}, of {count(len(own), 'student')}{': ' if own else ''}{names}."
    below = question.context.users.get_mentors_below(asker.mentors)
    if below:
        them = _list_names([_name(one.name or one.username) for one in below])
        theirs = count(len(asker.students_below), "more student")
        yield f"🧭 **Supervisor** of {them}, with {theirs}."


def _name(text: str) -> str:
    return disarm(text, max_length=NAME_LENGTH)


def _list_names(names: Sequence[str]) -> str:
    more = [f"and {len(names) - NAMES_SHOWN:,} more"] if len(names) > NAMES_SHOWN else []
    return ", ".join([*names[:NAMES_SHOWN], *more])


def _explain_news(question: Question) -> list[str]:
    """What keeps news from the asker, the widest reason first, and what is on its way."""
    reasons = [format_watch(question)]
    if not question.context.is_notifying:
        reasons.append(f"🔕 Nobody is told anything: {code('LMS_NOTIFY_MENTORS_ENABLED')} is off.")
    if not question.asker.is_mentor:
        reasons.append(f"👤 News is for mentors, and you are none in the LMS. {_why_no_mentor(question)}")
    reasons += _explain_preferences(question)
    reasons.append(format_held_back(get_own_held_back(question)))
    on_its_way, failed = count_unsent(question.zulip_user_id), count_dead(question.zulip_user_id)
    reasons += [f"📬 {count(on_its_way, 'event')} on the way to you."] if on_its_way else []
    reasons += [f"❌ {count(failed, 'event')} could not be told to you; an admin sees why."] if failed else []
    return reasons


def _why_no_mentor(question: Question) -> str:
    """Why no mentor of the LMS is this person, where that can be said; what they read is about themselves only."""
    user = question.asker.zulip_user
    addresses = {one.casefold() for one in (user.email, user.delivery_email) if one} if user else set()
    try:
        unmapped = question.context.users.get_unmapped_mentors()
    except LMSBotError:
        return "Why cannot be looked up now."
    same = [one for one in unmapped if (one.mentor.email or "").strip().casefold() in addresses]
    if same:
        return f"One has your e-mail address, but {disarm(same[0].reason)}."
    known = f"I know you by {_list_names(sorted(map(disarm, addresses)))}; n" if addresses else "N"
    return f"{known}o mentor there has that address."


def _explain_preferences(question: Question) -> Iterable[str]:
    preferences = get_preferences(question)
    yield from format_told(preferences, question.asker.students)
    yield format_digest_time(preferences)
    if is_ahead(question, preferences.muted_until):
        yield format_mutes(preferences.muted_until, {})[0]
    if mutes := get_mutes(question):
        yield f"🔕 **Muted:** {count(len(mutes), 'student')}."
    if preferences.quiet or preferences.workdays:
        yield from format_times(preferences, str(question.zone), question.has_unknown_zone)


def answer_settings(question: Question) -> str:
    preferences = get_preferences(question)
    muted_until = preferences.muted_until if is_ahead(question, preferences.muted_until) else None
    mutes = {key: (question.asker.students.get(int(key)), until) for key, until in get_mutes(question).items()}
    times = format_times(preferences, str(question.zone), question.has_unknown_zone)
    told = [*format_told(preferences, question.asker.students), format_digest_time(preferences)]
    head = ["⚙️ **Your settings**", "", *told, *times]
    held = format_held_back(get_own_held_back(question))
    return fit_lines(head, format_mutes(muted_until, mutes), [held, HOW_TO_CHANGE], limit=MAX_LENGTH)


COMMANDS = (
    Command(
        "settings", "settings", "what you chose to be told and when, and what is held back now", Audience.KNOWN,
        "settings", answer_settings, aliases=("preferences", "setting"), is_about_own_students=True,
    ),
    Command(
        "whoami", "whoami", "whom I take you for, and why you are told what you are told, or nothing",
        Audience.KNOWN, "whoami", answer_whoami, aliases=("who am i", "who i am"), is_about_own_students=True,
    ),
    Command(
        "test", "test", "a sample of each kind of message, sent to you now", Audience.KNOWN, "test", answer_test,
        aliases=("sample", "samples"), needs_store=False, changes=True,
    ),
)  # fmt: skip
