"""The commands: one table, from which parsing, help, usage, access and documentation follow."""

from __future__ import annotations

from itertools import chain

from lms_bot.chat.commands import (
    admin_answers,
    answers,
    audit_answers,
    chart_answers,
    export_answers,
    note_answers,
    preference_answers,
    seen_answers,
    self_answers,
    student_answers,
    title_answers,
)
from lms_bot.chat.commands.command import Command, format_usage
from lms_bot.chat.language.command_finder import Finder
from lms_bot.chat.language.periods import PERIODS_ARE
from lms_bot.chat.language.question import Question
from lms_bot.core.markdown import code
from lms_bot.people.access import Audience

LEARNERS, KNOWN, MENTORS, ADMINS = Audience.LEARNERS, Audience.KNOWN, Audience.MENTORS, Audience.ADMINS
HELP = "help"


def answer_help(question: Question) -> str:
    """What the asker may ask; with a command after it, all about that one."""
    asker = question.asker
    found, _ = find_command(question.words)
    command = choose_for(asker, found) if found else None
    if command is not None and command.name != HELP and asker.may_use(command.audience):
        lines = [f"{code(command.name)}: {command.meaning}.", format_usage(command)]
        return "\n".join([*lines, PERIODS_ARE] if "[period]" in command.usage else lines)
    lines = ["You can ask me:"]
    for title, rows in SECTIONS.items():
        may_use = [one for one in rows if asker.may_use(one.audience)]
        lines += ["", f"**{title}**", *(f"- {code(one.usage)}: {one.meaning}" for one in may_use)] if may_use else []
    return "\n".join(lines)


# fmt: off
SECTIONS: dict[str, tuple[Command, ...]] = {
    "Look": (
        Command(
            "students", "students [page N]", "your students: last activity and result, who needs attention", MENTORS,
            "students", answers.answer_students, is_about_own_students=True,
        ),
        Command(
            "summary", "summary [period] [page N]", "what each of your students did, worst first", MENTORS,
            "summary last week", answers.answer_summary, is_about_own_students=True,
            sentences=("who failed …", "who passed …", "what happened …", "how did they do …"),
        ),
        Command(
            "history", "history <student> [period] [exams|content] [page N]", "what one student did, newest first",
            LEARNERS, "history {student} last week exams", student_answers.answer_history,
            is_about_own_students=True,
            sentences=("what did … do", "what did … do …", "what has … done", "what has … done …", "how did … do …"),
        ),
        Command(
            "student", "student <name>", "how one student is doing: exams, trend, what is open, notes", LEARNERS,
            "student {student}", student_answers.answer_student, aliases=("card", "progress", "report", "profile"),
            is_about_own_students=True,
            sentences=("how is … doing", "how is …", "how does … do", "who is …", "about …"),
        ),
        Command(
            "compare", "compare <student> <student>", "two students side by side", KNOWN,
            "compare {student} {other}", student_answers.answer_compare, is_about_own_students=True,
        ),
        Command(
            "exam", "exam <title> [page N]", "who took an exam, and with what result", KNOWN, "exam algebra",
            title_answers.answer_exam, is_about_own_students=True, sentences=("who took …", "who has taken …"),
        ),
        Command(
            "content", "content <title> [page N]", "who did a content", KNOWN, "content introduction",
            title_answers.answer_content, is_about_own_students=True,
            sentences=("who watched …", "who has watched …"),
        ),
        Command(
            "find", "find <text> [page N]", "students, exams and contents by a part of what they are called", KNOWN,
            "find {student}", title_answers.answer_find, aliases=("search", "look for"), is_about_own_students=True,
        ),
        Command(
            "chart", "chart <student> [period]", "a picture of one student's results and activity", LEARNERS,
            "chart {student} 3 months", chart_answers.answer_chart, aliases=("graph", "plot"),
            is_about_own_students=True,
        ),
        Command(
            "chart exam", "chart exam <title> [page N]", "a picture of the results of one exam", KNOWN,
            "chart exam algebra", chart_answers.answer_chart_exam, aliases=("graph exam", "plot exam"),
            is_about_own_students=True,
        ),
        Command(
            "chart week", "chart week", "a picture of what your students did this week, day by day", LEARNERS,
            "chart week", chart_answers.answer_chart_week,
            aliases=("chart this week", "graph week", "graph this week", "plot week"), is_about_own_students=True,
        ),
        Command(
            "stats", "stats", "how many events of your students there are, of each type", MENTORS, "stats",
            answers.answer_stats, aliases=("statistics",), is_about_own_students=True,
        ),
        Command(
            "export", "export <student>|all [period]", "a file for a spreadsheet: what one student did, or all did",
            KNOWN, "export {student} last month", export_answers.answer_export, aliases=("download", "csv"),
            is_about_own_students=True,
        ),
    ),
    "Write down": (
        Command(
            "note", "note <student> <text>", "write something down about a student, for all who mentor them", KNOWN,
            "note {student} will sit the exam again on Friday", note_answers.answer_note, aliases=("remember",),
            is_about_own_students=True,
        ),
        Command(
            "notes", "notes <student> [page N]", "what is written down about a student", KNOWN, "notes {student}",
            note_answers.answer_notes, is_about_own_students=True,
        ),
        Command(
            "unnote", "unnote <number>…", "delete a note of yours", KNOWN, "unnote #3", note_answers.answer_unnote,
            aliases=("delete note", "remove note", "forget note"),
        ),
        Command(
            "open", "open [period] [page N]", "what you were told and nobody has seen to, worst first", KNOWN, "open",
            seen_answers.answer_open, aliases=("todo",), is_about_own_students=True, sentences=("what is open …",),
        ),
        Command(
            "done", "done <event>…|<student>|all", "mark events as seen to, as ✅ on my message does", KNOWN,
            "done #12 #15", seen_answers.answer_done, aliases=("seen",), is_about_own_students=True,
        ),
        Command(
            "reopen", "reopen <event>…", "take back that events were seen to", KNOWN, "reopen #12",
            seen_answers.answer_reopen, aliases=("undone",), is_about_own_students=True,
        ),
    ),
    "News": (
        Command(
            "status", "status", "whether I am watching, and what is on its way to you", KNOWN, "status",
            answers.answer_status, is_about_own_students=True,
        ),
        Command(
            "notify", "notify <type or all> now|hourly|daily|off", "how soon you are told of events of a type", KNOWN,
            "notify content_watched daily", preference_answers.answer_notify,
        ),
        Command(
            "mute", "mute <student>|all [N days|until tomorrow|until 18:00]",
            "hold back the news of one student, or all, for some time", KNOWN, "mute {student} 3 days",
            preference_answers.answer_mute, is_about_own_students=True,
        ),
        Command(
            "unmute", "unmute <student>|all", "tell you again of a student, or of all, that you muted", KNOWN,
            "unmute {student}", preference_answers.answer_unmute, is_about_own_students=True,
        ),
        Command(
            "quiet", "quiet <from>-<to>|off [except failed|except nothing]",
            "hold back news at these times of the day, but perhaps failed exams", KNOWN,
            "quiet 21:00-07:00 except failed", preference_answers.answer_quiet,
            aliases=("quiet times", "quiet hours"),
        ),
        Command(
            "workdays", "workdays <days>|off", "hold back news on other days of the week", KNOWN, "workdays mon-fri",
            preference_answers.answer_workdays, aliases=("workday", "work days", "working days"),
        ),
        Command(
            "settings", "settings", "what you chose to be told and when, and what is held back now", KNOWN,
            "settings", preference_answers.answer_settings, aliases=("preferences", "setting"),
            is_about_own_students=True,
        ),
        Command(
            "whoami", "whoami", "whom I take you for, and why you are told what you are told, or nothing", KNOWN,
            "whoami", self_answers.answer_whoami, aliases=("who am i", "who i am"), is_about_own_students=True,
            sentences=("why do i get nothing", "why do i get no news", "why do i not get …"),
        ),
        Command(
            "test", "test", "a sample of each kind of message, sent to you now", KNOWN, "test",
            self_answers.answer_test, aliases=("sample", "samples"), needs_store=False,
        ),
    ),
    "Admin": (
        Command(
            "stats all", "stats all", "how many events there are, told and not, and how many people I know", ADMINS,
            "stats all", admin_answers.answer_stats_all, aliases=("statistics all",),
        ),
        Command(
            "students all", "students all [page N]", "all students, who needs attention first", ADMINS,
            "students all", admin_answers.answer_students_all,
        ),
        Command(
            "summary all", "summary [period] [page N] all", "what every student did, worst first", ADMINS,
            "summary week all", admin_answers.answer_summary_all,
        ),
        Command(
            "errors", "errors", "what could not be told or read, by reason", ADMINS, "errors",
            admin_answers.answer_errors,
        ),
        Command(
            "pending", "pending", "what is still to be sent, to whom, since when and why", ADMINS, "pending",
            admin_answers.answer_pending,
        ),
        Command(
            "retry", "retry [all|<event id>…]", "send again what failed", ADMINS, "retry #12 #15",
            admin_answers.answer_retry,
        ),
        Command(
            "discard", "discard all|<event id>…", "give up for good what failed", ADMINS, "discard #12 #15",
            admin_answers.answer_discard,
        ),
        Command(
            "health", "health", "how the LMS, Zulip and my own store are", ADMINS, "health",
            admin_answers.answer_health, needs_store=False,
        ),
        Command(
            "poll now", "poll now", "look into the LMS at once", ADMINS, "poll now", admin_answers.answer_poll_now,
            aliases=("poll",),
        ),
        Command(
            "unmapped", "unmapped", "mentors whom I cannot find in Zulip", ADMINS, "unmapped",
            admin_answers.answer_unmapped,
        ),
        Command(
            "audit", "audit [page N]", "which admin looked at students who are not theirs", ADMINS, "audit page 2",
            audit_answers.answer_audit, sentences=("who looked",),
        ),
    ),
    "Help": (
        Command(
            HELP, "help [command]", "what you can ask me", LEARNERS, "help history", answer_help,
            aliases=("commands", "usage"), is_private=False, needs_store=False,
        ),
    ),
}
"""The rows, as `help` groups them. One that lets ask about one student says so with `{student}` in its example."""
# fmt: on

COMMANDS: tuple[Command, ...] = tuple(chain.from_iterable(SECTIONS.values()))
_finder = Finder(COMMANDS)
find_command, choose_for, find_similar = _finder.find_command, _finder.choose_for, _finder.find_similar
