"""What people choose to be told, and when. As in `answers`; each says what it did and what that means."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from lms_bot.chat.commands import preference_replies as replies
from lms_bot.chat.language.arguments import read_student
from lms_bot.chat.language.moments import parse_clock_range, parse_days, parse_moment
from lms_bot.chat.language.question import Question, WrongArguments
from lms_bot.chat.language.words import strip_fillers
from lms_bot.core.activities import ActivityType
from lms_bot.notify.held_back import get_held_back
from lms_bot.notify.preferences import FOR_EVER, WEEKDAYS, Preferences, When, get_end_of_mute

UNCLEAR_END = "I know who you mean, but not until when."
_EVERYTHING = frozenset(("all", "everything", "everybody", "everyone"))
_OFF = frozenset(("off", "none", "no", "never", "nothing", "false"))
_ON = frozenset(("on", "yes", "true"))
_EVERY_DAY = frozenset(("all", "every day", "everyday", "always", "daily"))

_WHENS = {
    When.NOW: ("now", "at once", "immediately", "instantly", "always", "on"),
    When.HOURLY: ("hourly", "every hour", "once an hour"),
    When.DAILY: ("daily", "every day", "once a day", "every evening"),
    When.OFF: ("off", "never", "none", "no", "not at all"),
}
_EXAMS = frozenset(kind.value for kind in ActivityType if kind.is_exam)
_CONTENTS = frozenset(kind.value for kind in ActivityType) - _EXAMS
_STARTS = frozenset(kind.value for kind in ActivityType if kind.is_start)
_ENDS = frozenset((ActivityType.EXAM_COMPLETED.value, ActivityType.CONTENT_COMPLETED.value))
_BETWEEN = frozenset(("a", "an", "are", "for", "is", "me", "my", "of", "the", "when"))
_WORDS_OF_TYPES = {
    "exam exams test tests quiz quizzes": _EXAMS,
    "content contents lesson lessons material materials course courses": _CONTENTS,
    "all everything every any events event activity activities": _EXAMS | _CONTENTS,
    "start starts started starting begin begins began begun": _STARTS,
    "complete completes completed finish finishes finished end ends ended done": _ENDS,
    "pass passes passed": frozenset({"exam_passed"}),
    "fail fails failed failing failure failures": frozenset({"exam_failed"}),
    "watch watches watched watching view views viewed video videos": frozenset({"content_watched"}),
}
"""What a word said of an event may mean. Several words mean what all of them may mean."""
_TYPES_OF_WORD = {word: types for words, types in _WORDS_OF_TYPES.items() for word in words.split()}


def answer_notify(question: Question) -> str:
    types, when = _read_notify(" ".join(strip_fillers(question.words)).casefold().replace("_", " "))
    notify = {**_get(question).notify, **dict.fromkeys(types, when.value)}
    _change(question, notify=notify)
    return _with_held(question, replies.format_notify(types, when))


def _read_notify(said: str) -> tuple[list[str], When]:
    for when, spellings in _WHENS.items():
        for spelling in spellings:
            if said.endswith(f" {spelling}"):
                return _read_types(said.removesuffix(spelling)), when
    raise WrongArguments("When shall I tell you: `now`, `hourly`, `daily`, or not at all (`off`)?")


def _read_types(said: str) -> list[str]:
    """The event types meant, in the usual order."""
    meant = _find_types([word for word in said.split() if word not in _BETWEEN])
    if not meant:
        raise WrongArguments(f"Which events? I know {replies.TYPE_NAMES}, `exams`, `contents` and `all`.")
    return [kind.value for kind in ActivityType if kind.value in meant]


def _find_types(words: Sequence[str]) -> frozenset[str]:
    """The event types that all of the words may mean; none if there are no words."""
    meant = [_TYPES_OF_WORD.get(word, frozenset()) for word in words]
    return frozenset.intersection(*meant) if meant else frozenset()


def answer_mute(question: Question) -> str:
    words = strip_fillers(question.words)
    if not words:
        raise WrongArguments("Whom, or `all`?")
    if words[0].casefold() in _EVERYTHING:
        until = _read_until(question, words[1:])
        if until is None:
            raise WrongArguments("I could not read until when.")
        preferences = _change(question, muted_until=until)
        return replies.format_muted_all(until, preferences.failed_pass, _is_told_together(question))
    return _mute_students(question, words)


def _mute_students(question: Question, words: tuple[str, ...]) -> str:
    student, end = read_student(
        question,
        words,
        lambda rest: _read_until(question, rest),
        command=("mute",),
        own_only=True,
        unclear=UNCLEAR_END,
    )
    until = end or FOR_EVER
    _change(question, mutes={**_get_mutes(question), str(student.student_id): until})
    return replies.format_muted(student, until, _is_told_together(question))


def _read_until(question: Question, words: tuple[str, ...]) -> str | None:
    """As Preferences has it: FOR_EVER where nothing is said, None where it cannot be read."""
    said = " ".join(words).casefold()
    if said in ("", "forever", "for ever", FOR_EVER):
        return FOR_EVER
    moment = parse_moment(said, question.now, question.zone)
    return moment.isoformat() if moment else None


def answer_unmute(question: Question) -> str:
    words = strip_fillers(question.words)
    if not words:
        raise WrongArguments("Whom, or `all`?")
    preferences = _get(question)
    if " ".join(words).casefold() in _EVERYTHING:
        was_muted = bool(_get_mutes(question)) or _is_ahead(question, preferences.muted_until)
        _change(question, mutes={}, muted_until=None)
        return _with_held(question, replies.format_unmuted("Everything", was_muted))
    return _unmute_student(question, words)


def _unmute_student(question: Question, words: tuple[str, ...]) -> str:
    """A number may be of a student who is no longer one's own: `settings` shows those so."""
    mutes = _get_mutes(question)
    number = words[0].removeprefix("#") if len(words) == 1 else ""
    if number in mutes and int(number) not in question.asker.students:
        key, name = number, replies.format_former_student(number)
    else:
        student, _ = read_student(question, words, command=("unmute",), own_only=True)
        key, name = str(student.student_id), replies.name_of(student)
    was_muted = mutes.pop(key, None) is not None
    preferences = _change(question, mutes=mutes)
    lines = [replies.format_unmuted(f"**{name}**", was_muted)]
    if preferences.muted_until is not None and _is_ahead(question, preferences.muted_until):
        lines.append(replies.format_all_still_muted(preferences.muted_until))
    return _with_held(question, "\n".join(lines))


def answer_quiet(question: Question) -> str:
    said, failed_pass = _split_exception(question)
    choices: dict[str, Any] = {} if failed_pass is None else {"failed_pass": failed_pass}
    if said in _OFF:
        choices["quiet"] = None
    elif said or failed_pass is None:
        clocks = parse_clock_range(said)
        if clocks is None or clocks[0] == clocks[1]:
            raise WrongArguments("Quiet from when to when, in your time zone?")
        choices["quiet"] = tuple(clock.strftime("%H:%M") for clock in clocks)
    preferences = _change(question, **choices)
    return _with_held(question, replies.format_quiet(preferences, str(question.zone)))


def answer_workdays(question: Question) -> str:
    said, failed_pass = _split_exception(question)
    choices: dict[str, Any] = {} if failed_pass is None else {"failed_pass": failed_pass}
    days = WEEKDAYS if said in _OFF | _EVERY_DAY else parse_days(said)
    if days is None:
        raise WrongArguments("Which days do you work?")
    choices["workdays"] = days if len(days) < len(WEEKDAYS) else None
    preferences = _change(question, **choices)
    return _with_held(question, replies.format_workdays(preferences, str(question.zone)))


_EXCEPTION = re.compile(
    r"(?:^| )(?:(?P<no>without|no) exceptions?|(?:except|but|unless)(?: for)?(?P<what>(?: [a-z_]+)+))$"
)


def _split_exception(question: Question) -> tuple[str, bool | None]:
    """What is said before "except failed", and whether failed exams may pass; None if nothing is said of it."""
    said = " ".join(strip_fillers(question.words)).casefold()
    match = _EXCEPTION.search(said)
    if match is None:
        return said, None
    words = (match["what"] or "").replace("_", " ").split()
    is_off = bool(match["no"]) or not _OFF.isdisjoint(words)
    named = [word for word in words if word not in _OFF | _ON]
    if (named and _find_types(named) != {ActivityType.EXAM_FAILED.value}) or not (named or is_off):
        raise WrongArguments("Only failed exams can be an exception.")
    return said[: match.start()].strip(), not is_off


def answer_settings(question: Question) -> str:
    """All of it, and what is held back now."""
    preferences = _get(question)
    muted_until = preferences.muted_until if _is_ahead(question, preferences.muted_until) else None
    mutes = {key: (question.asker.students.get(int(key)), until) for key, until in _get_mutes(question).items()}
    head = [
        *replies.format_told(preferences),
        *replies.format_times(preferences, str(question.zone), question.has_unknown_zone),
    ]
    held = replies.format_held(get_held_back(question))
    return replies.format_settings(head, replies.format_mutes(muted_until, mutes), held)


def _get(question: Question) -> Preferences:
    preferences: Preferences = question.app.preferences.get(question.zulip_user_id)
    return preferences


def _change(question: Question, **choices: Any) -> Preferences:
    changed: Preferences = question.app.preferences.change(question.zulip_user_id, **choices)
    question.app.composer.look_again()
    question.app.composer.wake()
    return changed


def _get_mutes(question: Question) -> dict[str, str]:
    """The asker's mutes that are not over yet."""
    return {key: until for key, until in _get(question).mutes.items() if _is_ahead(question, until)}


def _is_ahead(question: Question, until: str | None) -> bool:
    return until is not None and get_end_of_mute(until) > question.now


def _with_held(question: Question, answer: str) -> str:
    holding = get_held_back(question)
    return f"{answer}\n{replies.format_held(holding)}" if holding and holding.held else answer


def _is_told_together(question: Question) -> bool:
    return question.app.settings.lms_group_seconds > 0
