"""Answering people: a message in, a reply out.

`respond` finds out who asks, what is meant (language/) and has a command answer it (commands/); inbox/ hears each
message once and sees to it that its answer arrives. It tells no news, and sends nothing but answers.
"""

from lms_bot.chat.reply import Reply
from lms_bot.chat.respond import respond

__all__ = ["Reply", "respond"]
