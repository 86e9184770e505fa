"""Who is answered when: what people write to the bot, each answered once and in its turn, whatever dies."""

from lms_bot.chat.inbox.answerer import POINTER, make_reply
from lms_bot.chat.inbox.habits import Habits
from lms_bot.chat.inbox.inbox import Inbox
from lms_bot.chat.inbox.incoming import IncomingMessage

__all__ = ["POINTER", "Habits", "Inbox", "IncomingMessage", "make_reply"]
