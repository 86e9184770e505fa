"""What admins ask. As in `answers`; what changes something says what it did."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from lms_bot.chat.commands import admin_replies, replies
from lms_bot.chat.commands.answers import format_stats, list_students, summarise
from lms_bot.chat.language.arguments import get_everybody
from lms_bot.chat.language.numbers import format_refs, read_numbers
from lms_bot.chat.language.question import Question, WrongArguments
from lms_bot.chat.language.words import strip_fillers
from lms_bot.core.errors import LMSBotError
from lms_bot.core.markdown import disarm, fit_lines, table_head, table_row
from lms_bot.insight import reports
from lms_bot.notify.held_back import get_everybodys_held_back
from lms_bot.store.messages import DeliveryState

if TYPE_CHECKING:
    from lms_bot.people.users import Mentor


def answer_stats_all(question: Question) -> str:
    parts = [
        admin_replies.format_numbers("📊 **All events**", question.app.events.get_event_stats()),
        format_stats(question, "By type", None),
        _format_mapping(question),
    ]
    return "\n\n".join(parts)


def _format_mapping(question: Question) -> str:
    try:
        return admin_replies.format_numbers("**People**", question.app.users.get_mapping_stats())
    except LMSBotError as error:
        return f"**People**: not known now, {disarm(error)}."


def answer_summary_all(question: Question) -> str:
    question.audit(None)
    return summarise(question, None)


def answer_students_all(question: Question) -> str:
    students = get_everybody(question)
    if not students:
        return "No student is known yet."
    question.audit(None)
    return list_students(question, f"All {replies.count(len(students), 'student')}", students)


def answer_errors(question: Question) -> str:
    return admin_replies.format_errors(reports.get_error_groups(), reports.get_rejected_groups())


def answer_pending(question: Question) -> str:
    waiting = [*reports.get_waiting(), *_get_unwritten(question)]
    waiting.sort(key=lambda one: one.since)
    names = _recipient_names(question, {one.recipient for one in waiting})
    return admin_replies.format_waiting([(names[one.recipient], one) for one in waiting], reports.get_undecided())


def _get_unwritten(question: Question) -> Iterator[reports.Waiting]:
    """What is in no message yet: due, and held back by what people chose."""
    for one in get_everybodys_held_back(question.app, reports.get_unwritten(), question.now):
        if one.due:
            yield reports.Waiting(one.recipient, DeliveryState.PENDING.value, None, one.due, one.since)
        if one.held:
            reason = admin_replies.format_until(min(one.held))
            yield reports.Waiting(one.recipient, admin_replies.HELD, reason, one.held.total(), one.since)


def _recipient_names(question: Question, recipients: set[str]) -> dict[str, str]:
    """What `zulip:9`, `mentor:3` and `nobody` are called, disarmed; as they are where nobody knows now."""
    mentors: dict[str, str] = {}
    if any(recipient.startswith("mentor:") for recipient in recipients):
        mentors = _unmapped_names(question)
    names = {}
    for recipient in recipients:
        kind, _, key = recipient.partition(":")
        user = question.app.users.get_zulip_user(int(key)) if kind == "zulip" and key.isdecimal() else None
        names[recipient] = disarm(user.full_name) if user else mentors.get(recipient) or disarm(recipient)
    return names


def _unmapped_names(question: Question) -> dict[str, str]:
    try:
        mentors = [one.mentor for one in question.app.users.get_unmapped_mentors()]
    except LMSBotError:
        return {}
    return {f"mentor:{mentor.key}": f"mentor {disarm(mentor.username)}" for mentor in mentors}


def answer_retry(question: Question) -> str:
    """Sends again what failed: all of it, or the events named. Says what was done with each."""
    outcome = question.app.events.retry(_read_event_ids(question))
    lines = [f"🔁 {replies.count(outcome.retried, 'event')} will be sent again." if outcome.retried else ""]
    if outcome.unmapped_ids:
        unmapped = format_refs(outcome.unmapped_ids)
        lines.append(f"Somebody to be told of {unmapped} still cannot be found; `errors` says why.")
    if outcome.nothing_to_do_ids:
        lines.append(f"Nothing failed with {format_refs(outcome.nothing_to_do_ids)}.")
    if outcome.unknown_ids:
        lines.append(f"There is no event {format_refs(outcome.unknown_ids)}.")
    return "\n".join(filter(None, lines)) or "✅ Nothing has failed, so there is nothing to send again."


def answer_discard(question: Question) -> str:
    """Gives up for good what failed: all of it, or the events named. Says what was done with each."""
    if not question.words:
        raise WrongArguments("Which events, or `all`?")
    asked = _read_event_ids(question)
    who = question.asker.zulip_user.full_name if question.asker.zulip_user else "an admin"
    discarded = question.app.events.discard(asked, who)
    stored = reports.get_stored_ids(asked or ())
    untouched = [one for one in asked or () if one in stored and one not in discarded]
    unknown = [one for one in asked or () if one not in stored]
    lines = [f"🗑️ Given up for good: {format_refs(discarded)}." if discarded else ""]
    lines += [f"Nothing failed with {format_refs(untouched)}."] if untouched else []
    lines += [f"There is no event {format_refs(unknown)}."] if unknown else []
    return "\n".join(filter(None, lines)) or "✅ Nothing has failed, so there is nothing to discard."


def _read_event_ids(question: Question) -> list[int] | None:
    """The events named, or None for all; no word at all is all as well."""
    words = strip_fillers(question.words)
    if [word.casefold() for word in words] in ([], ["all"]):
        return None
    numbers = read_numbers(words)
    if not numbers:
        raise WrongArguments("I could not read the event numbers.")
    return numbers


def answer_health(question: Question) -> str:
    checks = question.app.health.get_checks()
    rows = [table_row(["✅" if one.is_ok else "❌", disarm(one.name), disarm(one.text)]) for one in checks]
    title = "✅ **All is well**" if all(one.is_ok for one in checks) else "❌ **Something is wrong**"
    return fit_lines([title, "", *table_head(["", "What", "How it is"])], rows, limit=replies.MAX_LENGTH)


def answer_poll_now(question: Question) -> str:
    created = question.app.monitor.process_activities()
    return f"👁️ I looked into the LMS: {replies.count(created, 'new event')}."


def answer_unmapped(question: Question) -> str:
    """Mentors whom nobody in Zulip could be found for, and why."""
    unmapped = question.app.users.get_unmapped_mentors()
    if not unmapped:
        return "✅ Every mentor is known in Zulip."
    rows = [
        table_row([_name_of(one.mentor), disarm(one.mentor.email), disarm(one.reason)]) for one in unmapped
    ]
    head = [f"👤 **Not known in Zulip** · {replies.count(len(rows), 'mentor')}", ""]
    head += table_head(["Mentor", "E-mail", "Why"])
    return fit_lines(head, rows, limit=replies.MAX_LENGTH)


def _name_of(mentor: Mentor) -> str:
    name, login = disarm(mentor.name), disarm(mentor.username)
    return f"{name} ({login})" if name and name != login else login
