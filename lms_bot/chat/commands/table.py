"""The commands: one table, from which parsing, help, usage, access and documentation follow."""

from __future__ import annotations

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
    stats,
    status,
    students,
    titles,
    undelivered,
)
from lms_bot.chat.language.command_finder import CommandFinder
from lms_bot.chat.language.periods import PERIODS_ARE
from lms_bot.chat.language.question import Command, Question, format_usage
from lms_bot.core.markdown import code
from lms_bot.people.access import Audience

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


HELP_ROW = Command(
    HELP, "help [command]", "what you can ask me", Audience.LEARNERS, "help history", answer_help,
    aliases=("commands", "usage"), is_private=False, needs_store=False,
)  # fmt: skip

SECTIONS: dict[str, tuple[Command, ...]] = {
    "Look": (
        *needs.COMMANDS,
        *overview.COMMANDS,
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
_finder = CommandFinder(COMMANDS)
find_command, choose_for, find_similar = _finder.find_command, _finder.choose_for, _finder.find_similar
