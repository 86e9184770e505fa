"""Who is answered when: what people write to the bot, each answered once and in its turn, whatever dies."""

from lms_bot.inbox.answerer import POINTER, make_reply, without_files
from lms_bot.inbox.inbox import Inbox
from lms_bot.inbox.letters import Letter

__all__ = ["POINTER", "Inbox", "Letter", "make_reply", "without_files"]
