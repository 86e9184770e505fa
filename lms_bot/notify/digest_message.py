"""The digest as one message that a phone shows: who needs the mentor, what failed, what is good, the sums. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from lms_bot.core.markdown import code, disarm
from lms_bot.insight.digest import Digest, Ended
from lms_bot.notify.brief_wording import in_percent
from lms_bot.notify.concern_wording import format_concern, format_day, format_end
from lms_bot.notify.wording import count_of, tell_apart
from lms_bot.store.concerns import Concern

MAX_DIGEST_LENGTH = 2400
ROWS = 15
NAMES = 3
GOOD_NEWS = 3
TITLE_LENGTH = 40
NAME_LENGTH = 40


def format_digest(digest: Digest) -> str:
    """At most MAX_DIGEST_LENGTH characters; "" where there is nothing to say."""
    return fit_digest(digest)[0]


def fit_digest(digest: Digest, room: int = MAX_DIGEST_LENGTH) -> tuple[str, int]:
    """The text, in `room` characters, and how many rows of concerns, and of escalated ones, it has at most."""
    if digest.is_empty:
        return "", 0
    for rows, names in ((ROWS, NAMES), (ROWS, 2), (10, 2), (5, 2), (3, 1)):  # long names and titles: fewer of them
        text = _format(digest, rows, names)
        if len(text) <= room:
            break
    return (text if len(text) <= room else text[: room - 1] + "…"), rows


def _format(digest: Digest, rows: int, names: int) -> str:
    shown = get_shown(digest, rows)
    parts = [
        "\n".join([_head(digest), *(_row(digest, one) for one in shown), *_more(digest, shown)]),
        *_escalated(digest, rows),
        *_failed(digest, names),
        *_good_news(digest, min(names, GOOD_NEWS)),
        _sums(digest),
        f"{code('needs')} · {code('failed yesterday')} · {code('settings')}",
    ]
    return "\n\n".join(parts)


def get_shown(digest: Digest, rows: int) -> list[Concern]:
    """The concerns that are rows: what is new before what was so when the bot came."""
    return [*digest.fresh, *digest.old][:rows]


def _head(digest: Digest) -> str:
    count = len({one.student_id for one in (*digest.fresh, *digest.old)})
    if not count and digest.silent_everywhere:
        return f"☀️ **Digest** · {_quiet(digest)}"
    who = "nobody new needs you" if not count else f"{count_of(count, 'student needs', 'students need')} you"
    quiet = f"\n{_quiet(digest)}" if digest.silent_everywhere else ""
    return f"☀️ **Digest** · {who}{quiet}"


def _quiet(digest: Digest) -> str:
    return f"💤 quiet everywhere: {digest.silent_everywhere} of {digest.students} students are silent. Holidays?"


def _row(digest: Digest, concern: Concern) -> str:
    return f"{format_concern(concern, _name(digest, concern.student_id))} · since {format_day(concern.since_at)}"


def _more(digest: Digest, shown: Sequence[Concern]) -> list[str]:
    left = len(digest.fresh) + len(digest.old) - len(shown)
    before = f"{digest.open_count} told before" if digest.open_count else ""
    said = ", ".join(filter(None, (f"{left} more" if left else "", before)))
    return [f"… and {said}: {code('needs')}"] if said else []


def _escalated(digest: Digest, rows: int) -> list[str]:
    if not digest.escalated:
        return []
    lines = [_row(digest, one) for one in digest.escalated[:rows]]
    more = len(digest.escalated) - len(lines)
    return ["\n".join(["🧭 **Nobody has seen to:**", *lines, *([f"… and {more} more"] if more else [])])]


def _failed(digest: Digest, names: int) -> list[str]:
    """`❌ **3 failed:** John Doe (Algebra, Physics), Jane Smith (Algebra)`: each was told when it came."""
    if not digest.failed:
        return []
    of_student: dict[int, list[str]] = {}
    for one in digest.failed:
        of_student.setdefault(one.student_id, []).append(_title(one))
    who = [
        f"{_name(digest, student_id)} ({', '.join(dict.fromkeys(titles))})"
        for student_id, titles in list(of_student.items())[:names]
    ]
    more = len(of_student) - len(who)
    return [f"❌ **{len(digest.failed)} failed:** {', '.join(who)}{f' … and {more} more' if more else ''}"]


def _good_news(digest: Digest, names: int) -> list[str]:
    """`🎉 **Good news:** John Doe recovered (Algebra); Ama Owusu 97 %, the best yet; Li Na is back after …`"""
    lines = [
        *(f"{_name(digest, one.student_id)} recovered ({_title(one)})" for one in digest.recovered),
        *(f"{_name(digest, one.student_id)} {format_end(one)}" for one in digest.back),
        *(f"{_result(digest, one)}, the best yet" for one in digest.best),
    ]
    if not lines:
        return []
    more = len(lines) - names
    return [f"🎉 **Good news:** {'; '.join(lines[:names])}{f' … and {more} more' if more > 0 else ''}"]


def _sums(digest: Digest) -> str:
    done = [
        count_of(number, one, many)
        for number, one, many in (
            (digest.passed, "exam passed", "exams passed"),
            (digest.completed, "exam completed", "exams completed"),
            (digest.contents, "content done", "contents done"),
        )
        if number
    ]
    of_all = f"{digest.active} of {count_of(digest.students, 'student', 'students')}"
    what = f"{', '.join(done)} by {of_all}" if done else f"{of_all} active"
    needs = "" if digest.fresh or digest.old or digest.open_count else "; nobody needs you"
    return f"📊 {what}{needs}."


def _name(digest: Digest, student_id: int) -> str:
    return digest.names.get(student_id) or f"Student {student_id}"


def _title(one: Ended) -> str:
    return disarm(one.title, max_length=TITLE_LENGTH) or "an exam"


def _result(digest: Digest, one: Ended) -> str:
    return f"{_name(digest, one.student_id)} {in_percent(one.percentage)}".rstrip()


def name_students(students: Iterable[tuple[int, str | None, str | None]]) -> Mapping[int, str]:
    """(id, username, display name) -> names by id, disarmed; with the username only where two are called alike."""
    names: dict[int, tuple[str, str]] = {}
    for student_id, username, display_name in students:
        login = disarm(username, max_length=NAME_LENGTH)
        name = disarm(display_name, max_length=NAME_LENGTH) or login or f"Student {student_id}"
        names[student_id] = (name, f"{name} ({login})" if login and login != name else name)
    return tell_apart(names)
