"""Every failure the bot knows, classed by what helps: trying again, or somebody's hand."""

from __future__ import annotations

from types import TracebackType


class LMSBotError(Exception):
    """A failure in plain words, fit to be shown to an admin. Never holds a secret."""

    def __init__(self, message: str, *, retry_after_seconds: float | None = None) -> None:
        super().__init__(message)
        self.retry_after_seconds = retry_after_seconds


class ConfigError(LMSBotError):
    """Settings that are wrong or missing; `problems` has one line for each mistake."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__("\n".join(problems))
        self.problems = problems


class TransientError(LMSBotError):
    """A failure that may be over when it is tried again."""


class LMSUnavailable(TransientError):
    """The LMS's database does not answer now: away, restarting, overloaded."""


class LMSRefused(TransientError):
    """The LMS's database answered no: password, missing right, missing table; somebody may mend it."""


class StoreUnavailable(TransientError):
    """The bot's own store does not answer now: locked, full or away."""


class ZulipUnavailable(TransientError):
    """Zulip certainly did not take the request: nobody listened, or it was told to wait."""


class ZulipRateLimited(ZulipUnavailable):
    """Zulip asks to wait `retry_after_seconds` (HTTP 429, body key `retry-after`)."""


class ZulipFateUnknown(TransientError):
    """The request may or may not have been carried out: timeout, lost answer, 5xx."""


class ZulipFailed(ZulipFateUnknown):
    """Zulip itself said that it failed: the request has ended, carried out or not."""


class ZulipRefused(LMSBotError):
    """Zulip said no for good: unknown or deactivated person, text it does not take."""


class ZulipForbidden(TransientError):
    """Zulip does not accept our credentials now (HTTP 401): wrong key, deactivated bot."""


def without_words(error: BaseException) -> tuple[type[BaseException], BaseException, TracebackType | None]:
    """For a log's `exc_info`: what failed and where, but not what it says: that may be a name, a title or a text."""
    kind = type(type(error).__name__, (Exception,), {"__module__": type(error).__module__})
    return kind, kind(), error.__traceback__


def first_line(error: BaseException) -> str:
    """What a driver says went wrong, without its hints."""
    return str(error).strip().split("\n")[0]
