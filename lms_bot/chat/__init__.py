"""Answering people: a message in, a reply out."""

from lms_bot.chat.respond import Reply, respond

__all__ = ["Reply", "respond"]
