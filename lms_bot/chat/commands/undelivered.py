"""`errors`, `pending`, `retry`, `discard`: what was not told. What changes something says what it did."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from datetime import datetime, timedelta

from lms_bot.chat.commands.rendering import MAX_LENGTH, NAME_LENGTH, count
from lms_bot.chat.language.question import Command, Question, WrongArguments
from lms_bot.chat.language.words import format_refs, read_numbers, strip_fillers
from lms_bot.core.errors import LMSBotError
from lms_bot.core.markdown import code, disarm, event_ref, fit_lines, time_tag
from lms_bot.insight.reports.outgoing import (
    DeadNotice,
    ErrorGroup,
    RejectedGroup,
    Waiting,
    get_dead_notices,
    get_error_groups,
    get_rejected_groups,
    get_stored_ids,
    get_undecided,
    get_unwritten,
    get_waiting,
)
from lms_bot.notify.held_back import get_held_back
from lms_bot.notify.preferences import FAR_FUTURE
from lms_bot.people.access import Audience
from lms_bot.store.messages import DeliveryState

REASON_LENGTH = 300
NOTICE_DAYS = 7
"""Digests that did not arrive are shown for so long: what they told was told again since."""
HELD = "held"

_STATES = {
    HELD: "held back, as they chose",
    "pending": "to be written next",
    "unmapped": "nobody in Zulip is known for them",
    "ready": "to be sent next",
    "sending": "being sent",
    "unknown": "sent perhaps; being looked up in Zulip",
}


def answer_errors(question: Question) -> str:
    notices = get_dead_notices(question.now - timedelta(days=NOTICE_DAYS))
    return format_errors(get_error_groups(), get_rejected_groups(), notices)


def format_errors(
    errors: Sequence[ErrorGroup], rejected: Sequence[RejectedGroup], notices: Sequence[DeadNotice] = ()
) -> str:
    """What could not be told, and what could not be read. The last list is the one that gives way."""
    if not errors and not rejected and not notices:
        return "✅ No errors."
    parts = [_format_notices(notices)] if notices else []
    if errors:
        head = [f"❌ **Not told** · {count(sum(one.count for one in errors), 'event')}", ""]
        give_up = f"{code('discard')} in place of {code('retry')} gives up for good."
        tail = ["", f"{code('retry all')} or {code(f'retry {errors[0].event_ids[0]}')} sends again; {give_up}"]
        parts.append(fit_lines(head, [_format_error(one) for one in errors], tail, limit=MAX_LENGTH // 2))
    if rejected:
        head = [f"🧩 **LMS rows that could not be read** · {sum(one.count for one in rejected)}", ""]
        room = MAX_LENGTH - sum(len(part) + 2 for part in parts)
        parts.append(fit_lines(head, [_format_rejected(one) for one in rejected], limit=room))
    return "\n\n".join(parts)


def _format_notices(notices: Sequence[DeadNotice]) -> str:
    reason = disarm(notices[0].reason, max_length=REASON_LENGTH)
    what = count(sum(one.count for one in notices), "message")
    last = time_tag(max(one.last_at for one in notices))
    head = f"☀️ **Digests or concerns not delivered** · {what}, the last {last}: {reason}"
    return f"{head}. The next digest tells what they told."


def _format_error(group: ErrorGroup) -> str:
    """``- mentor chen.wei: no such address · 2 events, last <time:…>: `#14` `#15` ``"""
    refs = _examples(map(event_ref, group.event_ids), group.count)
    reason = disarm(group.reason, max_length=REASON_LENGTH)
    return f"- {reason} · {count(group.count, 'event')}, last {time_tag(group.last_at)}: {refs}"


def _format_rejected(group: RejectedGroup) -> str:
    """``- **attempts**: unknown state · 2 rows, last <time:…>: `5` `7`, for example: state is 'limbo'``"""
    keys = _examples((code(key[:NAME_LENGTH]) for key in group.row_keys), group.count)
    problem, reason = (disarm(text, max_length=REASON_LENGTH) for text in (group.problem, group.reason))
    rows = f"{count(group.count, 'row')}, last {time_tag(group.last_at)}: {keys}"
    return f"- **{disarm(group.stream)}**: {problem} · {rows}, for example: {reason}"


def _examples(shown: Iterable[str], total: int) -> str:
    refs = list(shown)
    return " ".join([*refs, f"… and {total - len(refs)} more"] if total > len(refs) else refs)


def answer_pending(question: Question) -> str:
    waiting = [*get_waiting(), *_get_unwritten(question)]
    waiting.sort(key=lambda one: one.since)
    names = _recipient_names(question, {one.recipient for one in waiting})
    return format_waiting([(names[one.recipient], one) for one in waiting], get_undecided())


def _get_unwritten(question: Question) -> Iterator[Waiting]:
    """What is in no message yet: due, and held back by what people chose."""
    context = question.context
    for one in get_held_back(get_unwritten(), context.preferences, context.get_zone, question.now):
        if one.due:
            yield Waiting(one.recipient, DeliveryState.PENDING.value, None, one.due, one.since)
        if one.held:
            first = min(one.held)
            until = "until they unmute" if first >= FAR_FUTURE else f"the first until {first:%Y-%m-%d %H:%M} UTC"
            yield Waiting(one.recipient, HELD, until, one.held.total(), one.since)


def _recipient_names(question: Question, recipients: set[str]) -> dict[str, str]:
    """What `zulip:9`, `mentor:3` and `nobody` are called, disarmed; as they are where nobody knows now."""
    mentors: dict[str, str] = {}
    if any(recipient.startswith("mentor:") for recipient in recipients):
        with suppress(LMSBotError):
            unmapped = [one.mentor for one in question.context.users.get_unmapped_mentors()]
            mentors = {f"mentor:{one.key}": f"mentor {disarm(one.username)}" for one in unmapped}
    names = {}
    for recipient in recipients:
        kind, _, key = recipient.partition(":")
        user = question.context.users.get_zulip_user(int(key)) if kind == "zulip" and key.isdecimal() else None
        names[recipient] = disarm(user.full_name) if user else mentors.get(recipient) or disarm(recipient)
    return names


def format_waiting(waiting: Sequence[tuple[str, Waiting]], undecided: tuple[int, datetime | None]) -> str:
    """What is not sent yet; with each group goes who it is for, disarmed."""
    lines = [_format_one_waiting(who, one.count, one.since, _why(one)) for who, one in waiting]
    undecided_count, since = undecided
    if undecided_count:
        lines.insert(0, _format_one_waiting("not decided yet", undecided_count, since, "just recorded"))
    if not lines:
        return "✅ Nothing is waiting."
    total = sum(one.count for _, one in waiting) + undecided_count
    return fit_lines([f"⏳ **Waiting** · {total}", ""], lines, limit=MAX_LENGTH)


def _format_one_waiting(who: str, many: int, since: datetime | None, why: str) -> str:
    """`- **Maria** · 3 since <time:…> · to be written next`"""
    return f"- **{who}** · {many}{f' since {time_tag(since)}' if since else ''} · {why}"


def _why(group: Waiting) -> str:
    state = _STATES.get(group.state, group.state)
    reason = disarm(group.reason, max_length=REASON_LENGTH)
    return f"{state}: {reason}" if reason else state


def answer_retry(question: Question) -> str:
    """Sends again what failed: all of it, or the events named. Says what was done with each."""
    outcome = question.context.events.retry(_read_event_ids(question))
    lines = [f"🔁 {count(outcome.retried, 'event')} will be sent again." if outcome.retried else ""]
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
    discarded = question.context.events.discard(asked, who)
    stored = get_stored_ids(asked or ())
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


COMMANDS = (
    Command(
        "errors", "errors", "what could not be told or read, by reason", Audience.ADMINS, "errors", answer_errors,
    ),
    Command(
        "pending", "pending", "what is still to be sent, to whom, since when and why", Audience.ADMINS, "pending",
        answer_pending,
    ),
    Command(
        "retry", "retry [all|<event id>…]", "send again what failed", Audience.ADMINS, "retry #12 #15",
        answer_retry, changes=True,
    ),
    Command(
        "discard", "discard all|<event id>…", "give up for good what failed", Audience.ADMINS, "discard #12 #15",
        answer_discard, changes=True,
    ),
)  # fmt: skip
