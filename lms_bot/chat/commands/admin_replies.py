"""What only admins read, as markdown. As in `replies`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime

from lms_bot.chat.commands.replies import MAX_LENGTH, NAME_LENGTH, count
from lms_bot.core.markdown import code, disarm, event_ref, fit_lines, table_head, table_row, time_tag
from lms_bot.insight.reports import ErrorGroup, RejectedGroup, Waiting
from lms_bot.notify.preferences import FAR_FUTURE

REASON_LENGTH = 300


def format_numbers(title: str, numbers: Mapping[str, object]) -> str:
    """A two-column table of named numbers; `total_events` reads "Total events"."""
    rows = [
        table_row([disarm(name.replace("_", " ").capitalize()), disarm(value)]) for name, value in numbers.items()
    ]
    return "\n".join([title, "", *table_head(["What", "How many"]), *rows])


def format_errors(errors: Sequence[ErrorGroup], rejected: Sequence[RejectedGroup]) -> str:
    """What could not be told, and what could not be read. The second table is the one that gives way."""
    if not errors and not rejected:
        return "✅ No errors."
    parts = []
    if errors:
        head = [f"❌ **Not told** · {count(sum(one.count for one in errors), 'event')}", ""]
        head += table_head(["Reason", "Count", "Last", "Events"])
        give_up = f"{code('discard')} in place of {code('retry')} gives up for good."
        tail = ["", f"{code('retry all')} or {code(f'retry {errors[0].event_ids[0]}')} sends again; {give_up}"]
        parts.append(fit_lines(head, [_error_row(one) for one in errors], tail, limit=MAX_LENGTH // 2))
    if rejected:
        head = [f"🧩 **LMS rows that could not be read** · {sum(one.count for one in rejected)}", ""]
        head += table_head(["Where", "Problem", "Count", "Last", "Rows", "For example"])
        room = MAX_LENGTH - sum(len(part) + 2 for part in parts)
        parts.append(fit_lines(head, [_rejected_row(one) for one in rejected], limit=room))
    return "\n\n".join(parts)


def _error_row(group: ErrorGroup) -> str:
    refs = _examples(map(event_ref, group.event_ids), group.count)
    return table_row([disarm(group.reason, max_length=REASON_LENGTH), group.count, time_tag(group.last_at), refs])


def _rejected_row(group: RejectedGroup) -> str:
    keys = _examples((code(key[:NAME_LENGTH]) for key in group.row_keys), group.count)
    problem, reason = (disarm(text, max_length=REASON_LENGTH) for text in (group.problem, group.reason))
    return table_row([disarm(group.stream), problem, group.count, time_tag(group.last_at), keys, reason])


def _examples(shown: Iterable[str], total: int) -> str:
    refs = list(shown)
    return " ".join([*refs, f"… and {total - len(refs)} more"] if total > len(refs) else refs)


def format_waiting(waiting: Sequence[tuple[str, Waiting]], undecided: tuple[int, datetime | None]) -> str:
    """What is not sent yet; with each group goes who it is for, disarmed."""
    rows = [table_row([who, one.count, time_tag(one.since), _why(one)]) for who, one in waiting]
    undecided_count, since = undecided
    if undecided_count:
        rows.insert(0, table_row(["not decided yet", undecided_count, since and time_tag(since), "just recorded"]))
    if not rows:
        return "✅ Nothing is waiting."
    total = sum(one.count for _, one in waiting) + undecided_count
    head = [f"⏳ **Waiting** · {total}", "", *table_head(["For", "Count", "Since", "Why"])]
    return fit_lines(head, rows, limit=MAX_LENGTH)


HELD = "held"
_STATES = {
    HELD: "held back, as they chose",
    "pending": "to be written next",
    "unmapped": "nobody in Zulip is known for them",
    "ready": "to be sent next",
    "sending": "being sent",
    "unknown": "sent perhaps; being looked up in Zulip",
}


def format_until(moment: datetime) -> str:
    return "until they unmute" if moment >= FAR_FUTURE else f"the first until {moment:%Y-%m-%d %H:%M} UTC"


def _why(group: Waiting) -> str:
    state = _STATES.get(group.state, group.state)
    reason = disarm(group.reason, max_length=REASON_LENGTH)
    return f"{state}: {reason}" if reason else state
