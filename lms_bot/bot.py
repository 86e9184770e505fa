"""The zulip_bots handler: what the framework calls, each a few lines."""

from __future__ import annotations

import atexit
import logging
import signal
import sys
import threading
import time
import uuid
from collections import deque
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, ClassVar

from zulip_bots.custom_exceptions import ConfigValidationError
from zulip_bots.simple_lib import TerminalBotHandler

from lms_bot.app import App, build_app, set_app
from lms_bot.chat.respond import Reply, respond
from lms_bot.clock import utc_now
from lms_bot.config import load_settings
from lms_bot.exceptions import ConfigError, LMSBotError, ZulipFateUnknown, ZulipRateLimited, ZulipRefused
from lms_bot.gateway import OWNER, Credentials, Gateway, ZulipUser
from lms_bot.store.conversation import Answer
from lms_bot.store.leases import own_name

logger = logging.getLogger(__name__)

CONFIG_SECTION = "lms_bot"
POINTER = "I have answered you in a direct message."
ANSWER_TRIES = 6
ANSWERS_REMEMBERED = 1000
LOOK_UP_SECONDS = 2.0  # how long Zulip may still be finishing a request that we lost sight of
CLOCKS_DIFFER_SECONDS = 60.0  # ours and Zulip's, at most

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

    def __init__(self) -> None:
        self._sent_ids: deque[int] = deque(maxlen=ANSWERS_REMEMBERED)  # Zulip's ids of our answers

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
        self.app.start()
        _stop_in_order(self.app)

    def handle_message(self, message: dict[str, Any], bot_handler: Any) -> None:
        """Answers. Never raises: an exception out of here would end the bot."""
        try:
            if self._is_ours_to_answer(message, bot_handler):
                self._send(message, self._answer(message, bot_handler), bot_handler)
        except Exception:
            logger.exception("message %s could not be answered", message.get("id"))

    def _is_ours_to_answer(self, message: Mapping[str, Any], bot_handler: Any) -> bool:
        """Not what a bot wrote, be it ourselves, and not what another process has taken to answer.

        Two bots that answer each other would never end.
        """
        if self.app.gateway is None:
            return True
        if message["sender_id"] == bot_handler.user_id or self._is_bot(message["sender_id"]):
            return False
        try:
            with self.app.store.transaction():
                return Answer.take(message["id"], _sender_id(message), own_name(), utc_now())
        except LMSBotError:
            return True  # the store is away: better two answers than none

    def _is_bot(self, user_id: int) -> bool:
        try:
            user = self.app.users.get_zulip_user(user_id)
        except LMSBotError:
            return False
        return user is not None and user.is_bot

    def _answer(self, message: Mapping[str, Any], bot_handler: Any) -> Reply:
        try:
            user = SHELL_USER if isinstance(bot_handler, TerminalBotHandler) else None
            return respond(self.app, message["content"] or "", _sender_id(message), zulip_user=user)
        except Exception:
            reference = uuid.uuid4().hex[:8]
            logger.exception("an answer failed; reference %s", reference)
            return Reply(f"Something went wrong on my side. Please tell an admin, with the reference `{reference}`.")

    def _send(self, message: Mapping[str, Any], reply: Reply, bot_handler: Any) -> None:
        if self.app.gateway is None:  # the shell, or a test of the framework's
            bot_handler.send_reply(message, reply.text)
        elif _is_one_to_one(message):
            self._send_answer([message["sender_id"]], reply.text)
        else:
            if reply.is_private:
                self._send_answer([message["sender_id"]], reply.text)
            self._send_answer(message, POINTER if reply.is_private else reply.text)

    def _send_answer(self, to: list[int] | Mapping[str, Any], text: str) -> None:
        """Sends an answer, waiting where Zulip asks to. The framework's own sending would end the process at the
        21st message within five seconds, and resends what may have arrived."""
        assert self.app.gateway is not None
        since, is_in_doubt = time.time() - CLOCKS_DIFFER_SECONDS, False
        for tries in range(ANSWER_TRIES):
            self._wait_for_rate_limit()
            try:
                if is_in_doubt and self._has_arrived(to, text, since):
                    return
                self._sent_ids.append(_send_once(self.app.gateway, to, text))
                return
            except ZulipRefused as error:
                logger.warning("an answer was refused: %s", error)
                return
            except ZulipFateUnknown:
                is_in_doubt = True
                time.sleep(LOOK_UP_SECONDS)
            except ZulipRateLimited as error:
                with suppress(LMSBotError):
                    self.app.notifier.note_rate_limit(error)
                time.sleep(error.retry_after_seconds or 1.0)
            except LMSBotError as error:
                time.sleep(error.retry_after_seconds or 2.0**tries)
        logger.error("an answer could not be sent: Zulip does not take it")

    def _wait_for_rate_limit(self) -> None:
        """Zulip's 429 to a sender of notifications, also of another process, is meant for us as well."""
        with suppress(LMSBotError):
            time.sleep(max(0.0, self.app.notifier.get_rate_limit_seconds()))

    def _has_arrived(self, to: list[int] | Mapping[str, Any], text: str, since: float) -> bool:
        """Whether this answer is in Zulip; an earlier one of the same words does not count."""
        gateway = self.app.gateway
        if gateway is None or not isinstance(to, list):
            return False
        found = gateway.find_sent(to[0], text, since, self._sent_ids)
        if found is not None:
            self._sent_ids.append(found)
        return found is not None


def _send_once(gateway: Gateway, to: list[int] | Mapping[str, Any], text: str) -> int:
    if isinstance(to, list):
        return gateway.send_direct(to[0], text)
    if to["type"] == "private":
        return gateway.send_to_group([person["id"] for person in to["display_recipient"]], text)
    return gateway.send_to_channel(to["display_recipient"], to["subject"], text)


def _is_one_to_one(message: Mapping[str, Any]) -> bool:
    return message["type"] == "private" and len(message["display_recipient"]) <= 2


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
