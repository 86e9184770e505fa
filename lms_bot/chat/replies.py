"""Reports in, Zulip markdown out. Pure. Text of others is disarmed here, unless a docstring says it was."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from lms_bot.activities import ActivityType
from lms_bot.formatter import EMOJI, LABELS, UNKNOWN_TYPE_EMOJI
from lms_bot.markdown import (
    MAX_MESSAGE_LENGTH,
    code,
    disarm,
    event_ref,
    fit_lines,
    table_head,
    table_row,
    time_tag,
)
from lms_bot.preferences import FAR_FUTURE
from lms_bot.reports import (
    ErrorGroup,
    History,
    RejectedGroup,
    StudentSummary,
    Waiting,
)

ROOM_FOR_NOTE = 200
MAX_LENGTH = MAX_MESSAGE_LENGTH - ROOM_FOR_NOTE
NAME_LENGTH = 100
PLAIN_USERNAME = re.compile(r"[\w.@+-]{1,60}", re.ASCII)
TITLE_LENGTH = 200
REASON_LENGTH = 300

_VERBS = {
    ActivityType.EXAM_STARTED.value: "started",
    ActivityType.EXAM_COMPLETED.value: "completed",
    ActivityType.EXAM_PASSED.value: "passed",
    ActivityType.EXAM_FAILED.value: "did not pass",
    ActivityType.CONTENT_STARTED.value: "started",
    ActivityType.CONTENT_COMPLETED.value: "completed",
    ActivityType.CONTENT_WATCHED.value: "watched",
}


def format_stale_note(as_of: datetime) -> str:
    """The line over an answer about students whom the LMS cannot confirm now. At most ROOM_FOR_NOTE long."""
    return f"⚠️ The LMS does not answer; whose students are whose is as of {time_tag(as_of)}."


def format_name(student_id: int, username: str | None, display_name: str | None) -> str:
    """`Jane Smith (jane_smith)`, or what is known of that. Disarmed."""
    login, name = disarm(username, max_length=NAME_LENGTH), disarm(display_name, max_length=NAME_LENGTH)
    if name and login and name != login:
        return f"{name} ({login})"
    return name or login or f"Student {student_id}"


def get_word_for(student_id: int, username: str | None) -> str:
    """What to type for a student: the username where that is easily typed, and no markup, else the id."""
    return username if username and PLAIN_USERNAME.fullmatch(username) else str(student_id)


def format_history(name: str, history: History, period: str | None) -> str:
    """`name` is disarmed, `period` a label; None is everything that is stored."""
    about = f"**{name}** · {period or 'all that is known'}"
    if not history.total:
        return f"{about}\n\nNo activity."
    head = [
        f"{about} · {count(history.total, 'event')}",
        "",
        *table_head(["When", "What", "Result", "Event"]),
    ]
    rows = [_history_row(event) for event in history.events]
    # Rows that were not loaded stand here as empty lines: they come after more than fits, and are counted.
    return fit_lines(head, rows + [""] * (history.total - len(rows)), limit=MAX_LENGTH)


def _history_row(event: Any) -> str:
    return table_row(
        [time_tag(event.timestamp), format_act(event), format_result(event), event_ref(event.event_id)]
    )


def format_act(event: Any) -> str:
    """`🎉 passed: Mathematics Final Exam`"""
    kind = str(event.event_type)
    title = disarm(event.activity_title, max_length=TITLE_LENGTH) or f"number {event.activity_id}"
    verb = _VERBS.get(kind) or disarm(kind.replace("_", " "))
    return f"{EMOJI.get(kind, UNKNOWN_TYPE_EMOJI)} {verb}: {title}"


def format_result(event: Any) -> str:
    """`85 (85%)`, or what is known of that; empty for contents."""
    known = event.activity_metadata if isinstance(event.activity_metadata, dict) else {}
    score = disarm(known.get("score"), max_length=NAME_LENGTH)
    percentage = disarm(known.get("percentage"), max_length=NAME_LENGTH).removesuffix("%")
    if score and percentage:
        return f"{score} ({percentage}%)"
    return score or (f"{percentage}%" if percentage else "")


def format_summary(
    summaries: Sequence[StudentSummary], names: Mapping[int, str], period: str, silent: int | None
) -> str:
    """One row for each student, as sorted, and totals; `names` are disarmed, `silent` had no activity."""
    silence = [f"{count(silent, 'student')} without activity."] if silent else []
    if not summaries:
        return "\n".join([f"📊 **Summary** · {period}", "", "No activity.", *silence])
    rows = [
        table_row([names[one.student_id], *_summary_cells(one), time_tag(one.last_at)]) for one in summaries
    ]
    head = [
        f"📊 **Summary** · {period} · {_summary_totals(summaries)}",
        "",
        *table_head(
            ["Student", "❌ Failed", "📝 Left open", "🎉 Passed", "✅ Completed", "📚 Contents", "Last"]
        ),
    ]
    return fit_lines(head, rows, ["", *silence] if silence else [], limit=MAX_LENGTH)


def _summary_cells(summary: StudentSummary) -> list[int | None]:
    def number(*kinds: ActivityType) -> int:
        return sum(summary.counts.get(kind.value, 0) for kind in kinds)

    cells = (
        number(ActivityType.EXAM_FAILED),
        summary.left_open,
        number(ActivityType.EXAM_PASSED),
        number(ActivityType.EXAM_COMPLETED),
        number(ActivityType.CONTENT_COMPLETED, ActivityType.CONTENT_WATCHED),
    )
    return [cell or None for cell in cells]


def _summary_totals(summaries: Sequence[StudentSummary]) -> str:
    totals = [
        sum(cell or 0 for cell in column) for column in zip(*map(_summary_cells, summaries), strict=True)
    ]
    words = ("failed", "left open", "passed", "completed", "contents")
    known = ", ".join(f"{total} {word}" for total, word in zip(totals, words, strict=True) if total)
    return f"{count(len(summaries), 'student')}{': ' if known else ''}{known}"


def format_students(names: Mapping[int, str], last_events: Mapping[int, Any]) -> str:
    """One row for each of the mentor's students, in the order of `names`."""
    if not names:
        return "The LMS gives you no students."
    rows = [_student_row(name, last_events.get(student_id)) for student_id, name in names.items()]
    head = [
        f"👥 **Your students** · {len(names)}",
        "",
        *table_head(["Student", "Last activity", "What", "Result"]),
    ]
    return fit_lines(head, rows, limit=MAX_LENGTH)


def _student_row(name: str, event: Any) -> str:
    if event is None:
        return table_row([name, "none known", None, None])
    return table_row([name, time_tag(event.timestamp), format_act(event), format_result(event)])


def format_counts(title: str, columns: Mapping[str, Mapping[str, int]]) -> str:
    """A table of events by type: a column for each heading, a row for each type that occurs, the totals."""
    kinds = [*LABELS, *sorted({kind for counts in columns.values() for kind in counts if kind not in LABELS})]
    rows = [
        [f"{EMOJI.get(kind, UNKNOWN_TYPE_EMOJI)} {LABELS.get(kind) or disarm(kind)}", *cells]
        for kind in kinds
        if any(cells := [counts.get(kind, 0) for counts in columns.values()])
    ]
    rows.append(["**All**", *(sum(counts.values()) for counts in columns.values())])
    return "\n".join([title, "", *table_head(["Events", *columns]), *map(table_row, rows)])


def format_numbers(title: str, numbers: Mapping[str, object]) -> str:
    """A two-column table of named numbers; `total_events` reads "Total events"."""
    rows = [
        table_row([disarm(name.replace("_", " ").capitalize()), disarm(value)])
        for name, value in numbers.items()
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
    return table_row(
        [disarm(group.reason, max_length=REASON_LENGTH), group.count, time_tag(group.last_at), refs]
    )


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
        rows.insert(
            0, table_row(["not decided yet", undecided_count, since and time_tag(since), "just recorded"])
        )
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


def count(number: int, thing: str) -> str:
    """`1 event`, `2 events`, `4,000 events`"""
    return f"{number:,} {thing}" if number == 1 else f"{number:,} {thing}s"
