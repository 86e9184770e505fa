"""Files that come with messages: uploaded before the message is sent, so that its text can name their addresses."""

from __future__ import annotations

import logging
import re
from collections.abc import Sequence
from time import sleep

from lms_bot.core.errors import ZulipFateUnknown, ZulipRefused
from lms_bot.core.markdown import disarm
from lms_bot.outbox.draft import File
from lms_bot.outbox.outbox import Outbox
from lms_bot.store.messages import Message, MessageFile
from lms_bot.zulip.gateway import Gateway

logger = logging.getLogger(__name__)

MOST_TRIES = 3
PAUSE_SECONDS = 0.5  # after the first try, and twice that after the second


class FileUploader:
    """A file uploaded twice harms nobody: only what a message links to is seen."""

    def __init__(self, outbox: Outbox, gateway: Gateway) -> None:
        self._outbox = outbox
        self._gateway = gateway

    def upload_all(self, message: Message) -> None:
        """The message's text names all its files afterwards; in place of what Zulip does not take, it says so.

        Raises LMSBotError where a file has to be tried again later.
        """
        for file in self._outbox.get_files(message) if "](attachment:" in message.content else ():
            self._outbox.mark_uploaded(message, file, self._name_address(message.content, file))

    def _name_address(self, text: str, file: MessageFile) -> str:
        for tries in range(1, MOST_TRIES + 1):
            try:
                address = self._gateway.upload_file(file.name, bytes(file.content))
                # Once only: a code span may say the same.
                return text.replace(f"](attachment:{file.number})", f"]({address})", 1)
            except (ZulipRefused, ZulipFateUnknown) as error:
                if isinstance(error, ZulipRefused) or tries == MOST_TRIES:
                    logger.warning("a file could not be uploaded: %s", error)
                    excuse = f"The file {disarm(file.name)} could not be uploaded to Zulip: {disarm(str(error))}."
                    return _replace_link(text, file.number, excuse)
                sleep(PAUSE_SECONDS * tries)
        raise AssertionError("each try ends in one way or the other")


def without_files(text: str, files: Sequence[File]) -> str:
    """The text for where no file can be shown."""
    for number, file in enumerate(files):
        text = _replace_link(text, number, f"({file.name} is only to be had in Zulip)")
    return text


def _replace_link(text: str, number: int, words: str) -> str:
    return re.sub(rf"!?\[[^\]\n]*\]\(attachment:{number}\)", lambda _: words, text, count=1)
