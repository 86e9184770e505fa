"""The zulip_bots handler: what the framework calls, each a few lines."""

from __future__ import annotations

import atexit
import logging
import signal
import sys
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar

from zulip_bots.custom_exceptions import ConfigValidationError
from zulip_bots.simple_lib import TerminalBotHandler

from lms_bot.app import App, build_app, set_app
from lms_bot.chat.inbox import make_reply
from lms_bot.core.errors import ConfigError, LMSBotError, without_words
from lms_bot.outbox.files import without_files
from lms_bot.settings.settings import load_settings
from lms_bot.zulip.gateway import OWNER, Credentials, ZulipUser

logger = logging.getLogger(__name__)

CONFIG_SECTION = "lms_bot"

SHELL_USER = ZulipUser(
    user_id=0,
    full_name="zulip-bot-shell",
    email="",
    delivery_email=None,
    role=OWNER,  # whoever can start a shell with the bot's settings can read all it reads
    is_bot=False,
    is_active=True,
    timezone="",
)


class _OnClassOnly:
    """A static method the class has and its instances have not.

    With `validate_config` on the instance the framework would demand a bot config file, and read it with
    interpolation, so that a `%` in a password ends in a traceback. Ours is optional and read by ourselves.
    """

    def __init__(self, function: Any) -> None:
        self._function = function

    def __get__(self, instance: object, owner: type) -> Any:
        if instance is not None:
            raise AttributeError("validate_config")
        return self._function


class LMSBotHandler:
    META: ClassVar = {
        "name": "LMS bot",
        "description": "Tells mentors what their students do in the LMS, and answers them.",
    }

    app: App

    def usage(self) -> str:
        return (
            "I tell mentors in direct messages what their students do in the LMS: exams started, passed and "
            "failed, contents started, completed and watched. Write `help` to me to see what you can ask."
        )

    @_OnClassOnly
    def validate_config(config_info: Mapping[str, str]) -> None:
        try:
            load_settings(config_info)
        except ConfigError as error:
            raise ConfigValidationError(str(error)) from error

    def initialize(self, bot_handler: Any) -> None:
        """Opens everything and starts the background threads. Ends the process with one line for each mistake."""
        try:
            self.app = build_app(load_settings(_config_of(bot_handler)), _credentials_of(bot_handler))
        except LMSBotError as error:
            sys.exit("\n".join(f"lms_bot: {line}" for line in str(error).split("\n")))
        set_app(self.app)
        _stop_in_order(self.app)  # first: it may be asked to end as soon as anything runs
        self.app.start(is_answering=True)

    def handle_message(self, message: dict[str, Any], bot_handler: Any) -> None:
        """Answers, or has it answered by the inbox. Never raises: an exception out of here would end the bot."""
        try:
            if self.app.inbox is not None:
                self.app.inbox.receive_message(message)
            else:  # the shell, or a test of the framework's
                bot_handler.send_reply(message, self._answer(message, bot_handler))
        except Exception as error:
            logger.error("message %s could not be answered", message.get("id"), exc_info=without_words(error))

    def _answer(self, message: Mapping[str, Any], bot_handler: Any) -> str:
        user = SHELL_USER if isinstance(bot_handler, TerminalBotHandler) else None
        text, sender_id = message["content"] or "", _sender_id(message)
        reply = make_reply(self.app.context, text, sender_id, zulip_user=user)
        return without_files(reply.text, reply.files)


def _sender_id(message: Mapping[str, Any]) -> int:
    try:
        return int(message["sender_id"])
    except (KeyError, TypeError, ValueError):
        return 0


def _config_of(bot_handler: Any) -> Path | Mapping[str, str]:
    """The bot config: the file where the framework names one, since its own reader interpolates `%`."""
    path = getattr(bot_handler, "bot_config_file", None)
    if path is not None:
        return Path(path)
    return dict(bot_handler.get_config_info(CONFIG_SECTION, optional=True))


def _credentials_of(bot_handler: Any) -> Credentials | None:
    client = getattr(bot_handler, "_client", None)
    return None if client is None else Credentials.of_client(client)


def _stop_in_order(app: App) -> None:
    """At exit, however it comes. The framework handles SIGINT but not SIGTERM."""
    atexit.register(app.stop)
    if threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
