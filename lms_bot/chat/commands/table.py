"""The commands: one table, from which parsing, help, usage, access and documentation follow."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain

from lms_bot.chat.commands import (
    admin,
    charts,
    digest,
    export,
    followup,
    history,
    holiday,
    needs,
    notes,
    notify,
    oneself,
    overview,
    quiet,
    results,
    stats,
    status,
    students,
    titles,
    undelivered,
)
from lms_bot.chat.language.command_finder import CommandFinder
from lms_bot.chat.language.periods import PERIODS_ARE
from lms_bot.chat.language.question import (
    Answer,
    Command,
    NothingFound,
    Question,
    WithButtons,
    format_usage,
    pick_students_for_example,
)
from lms_bot.chat.language.words import strip_fillers
from lms_bot.core.markdown import code
from lms_bot.outbox.draft import Button
from lms_bot.people.access import Asker, Audience

HELP, ALL = "help", "all"
OWN_WORDS = "You can ask me in your own words, or for example:"
TOPICS = {"look": "Look", "notes": "Write down", "news": "News", "admin": "Admin"}
MOST_ASKED = ("needs", "student", "failed", "summary", "open", "notify", "health")
"""Six at most for who is no admin."""


def answer_help(question: Question) -> Answer:
    """What is asked most; with a topic after it all of that, with a command all about that one."""
    asker = question.asker
    said = " ".join(strip_fillers(question.words)).casefold()
    if said in TOPICS or said == ALL:
        return _list_commands(asker, tuple(SECTIONS) if said == ALL else (TOPICS[said],))
    found, _ = find_command(question.words)
    command = choose_for(asker, found) if found else None
    if command is not None and command.name != HELP and asker.may_use(command.audience):
        lines = [f"{code(command.name)}: {command.meaning}.", format_usage(command)]
        return "\n".join([*lines, PERIODS_ARE] if "[period]" in command.usage else lines)
    if asker.is_student:
        return _list_commands(asker, tuple(SECTIONS))
    page = _show_most_asked(question)
    if said:
        raise NothingFound(page.text)  # of what they ask about; perhaps it is a sentence
    return page


def _list_commands(asker: Asker, sections: Sequence[str]) -> str:
    lines = ["You can ask me:"]
    for title in sections:
        may_use = [one for one in SECTIONS[title] if asker.may_use(one.audience)]
        usages = (f"- {code(one.usage.replace(' [page N]', ''))}: {one.meaning}" for one in may_use)
        lines += ["", f"**{title}**", *usages] if may_use else []
    return "\n".join(lines)


def _show_most_asked(question: Question) -> WithButtons:
    """On one screen, with the asker's own students; each line, and each topic, can be clicked."""
    asker = question.asker
    names = pick_students_for_example(asker)
    asked = [one for name in MOST_ASKED if asker.may_use((one := _by_name[name]).audience)]
    examples = [(one.get_example(*names), one.meaning) for one in asked]
    topics = [f"{HELP} {topic}" for topic in (*TOPICS, ALL) if topic != "admin" or asker.is_admin]
    lines = [f"- {code(example)}: {meaning}" for example, meaning in examples]
    more = f"More: {', '.join(map(code, topics))}."
    buttons = [Button(example, example, meaning) for example, meaning in examples]
    buttons += [Button(topic, topic) for topic in topics]
    return WithButtons("\n".join([OWN_WORDS, "", *lines, "", more]), tuple(buttons), OWN_WORDS)


HELP_ROW = Command(
    HELP, "help [look|notes|news|admin|all|<command>]", "what you can ask me", Audience.LEARNERS, "help history",
    answer_help,
    aliases=("commands", "usage"), needs_store=False,
)  # fmt: skip

SECTIONS: dict[str, tuple[Command, ...]] = {
    "Look": (
        *needs.COMMANDS,
        *overview.COMMANDS,
        *results.COMMANDS,
        *history.COMMANDS,
        *students.COMMANDS,
        *titles.COMMANDS,
        *charts.COMMANDS,
        *stats.COMMANDS,
        *export.COMMANDS,
    ),
    "Write down": (*notes.COMMANDS, *followup.COMMANDS),
    "News": (*status.COMMANDS, *notify.COMMANDS, *digest.COMMANDS, *quiet.COMMANDS, *oneself.COMMANDS),
    "Admin": (
        *needs.ADMIN_COMMANDS,
        *stats.ADMIN_COMMANDS,
        *overview.ADMIN_COMMANDS,
        *notify.ADMIN_COMMANDS,
        *holiday.COMMANDS,
        *undelivered.COMMANDS,
        *admin.COMMANDS,
    ),
    "Help": (HELP_ROW,),
}
"""The rows of all groups, as `help` shows them."""

COMMANDS: tuple[Command, ...] = tuple(chain.from_iterable(SECTIONS.values()))
_by_name = {one.name: one for one in COMMANDS}
_finder = CommandFinder(COMMANDS)
find_command, choose_for, find_similar = _finder.find_command, _finder.choose_for, _finder.find_similar
