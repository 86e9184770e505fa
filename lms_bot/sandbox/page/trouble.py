"""Trouble for the page to play: Zulip away, the LMS away, answers lost, the bot killed. All of it is real."""

from __future__ import annotations

import threading
import time
from contextlib import ExitStack
from typing import Any

from lms_bot.sandbox.environment import DemoEnvironment
from lms_bot.sandbox.zulip.faults import Fault


class CannotNow(Exception):
    """What was asked cannot be done now, or not at all; the text says why."""


class Trouble:
    """Four ways in which things go wrong, each begun and ended at will."""

    def __init__(self, environment: DemoEnvironment) -> None:
        self._environment = environment
        self._one_at_a_time = threading.Lock()
        self._lms_back = ExitStack()
        self._bot_started_at = 0.0
        self._is_bot_listening = False
        self.is_zulip_away = self.is_lms_away = self.are_answers_lost = self.is_bot_killed = False

    def make(self, kind: object, is_on: bool) -> None:
        makers = {"zulip": self._zulip, "lms": self._lms, "answers": self._answers, "bot": self._bot}
        if kind not in makers:
            raise CannotNow("there is no such trouble")
        with self._one_at_a_time:
            makers[str(kind)](is_on)

    def supervise(self) -> None:
        """Starts the bot again where it ended by itself, as systemd would: it cannot begin without Zulip."""
        if self._one_at_a_time.acquire(blocking=False):
            try:
                self._bot(self.is_bot_killed)
            finally:
                self._one_at_a_time.release()

    def end(self) -> None:
        """The LMS is back, for whoever is to stop it in order."""
        with self._one_at_a_time:
            self._lms(False)

    def describe(self) -> dict[str, Any]:
        return {
            "zulip": self.is_zulip_away,
            "lms": self.is_lms_away,
            "answers": self.are_answers_lost,
            "bot": self._describe_bot(),
        }

    def _describe_bot(self) -> str:
        if self.is_bot_killed:
            return "away"
        self._is_bot_listening = self._is_bot_listening or self._has_registered()
        return "here" if self._is_bot_listening else "starting"

    def _has_registered(self) -> bool:
        """Its process asked Zulip for a queue of events, which it does when all else is ready."""
        bot_id = self._environment.account.user_id
        return any(
            one.user_id == bot_id and one.path.endswith("/register") and one.at >= self._bot_started_at
            for one in reversed(self._environment.zulip.requests)
        )

    def _zulip(self, is_away: bool) -> None:
        """Connections are refused, to the bot and to people alike."""
        self.is_zulip_away = is_away
        (self._environment.zulip.stop if is_away else self._environment.zulip.start)()

    def _lms(self, is_away: bool) -> None:
        """PostgreSQL is stopped, and started again with its data."""
        if is_away and not self.is_lms_away:
            self.is_lms_away = True
            self._lms_back.enter_context(self._environment.postgres.away())
        elif not is_away and self.is_lms_away:
            self._lms_back.close()
            self.is_lms_away = False

    def _answers(self, are_lost: bool) -> None:
        """Zulip takes what the bot sends, but the bot never hears that it did."""
        self._environment.zulip.faults.clear()
        self.are_answers_lost = are_lost
        if are_lost:
            bot_id = self._environment.account.user_id
            self._environment.zulip.faults.add(Fault("answer_lost", "POST", "messages", times=None, user_id=bot_id))

    def _bot(self, is_killed: bool) -> None:
        """kill -9, and a new process."""
        bot, self.is_bot_killed = self._environment.bot, is_killed
        if is_killed and bot.exit_code is None:
            bot.kill()
        elif not is_killed and bot.exit_code is not None:
            self._bot_started_at, self._is_bot_listening = time.time(), False
            bot.start()
