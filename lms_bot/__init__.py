"""A Zulip bot that tells mentors what their students do in the LMS, and answers them."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from lms_bot.core.configured import look_up_with
from lms_bot.core.former_names import keep_importable
from lms_bot.version import __version__

if TYPE_CHECKING:
    from lms_bot.bot import LMSBotHandler as handler_class
    from lms_bot.notify.brief import BriefFormatter
    from lms_bot.notify.events import LMSActivityEventHandler
    from lms_bot.notify.formatter import MessageFormatter
    from lms_bot.operation.health import health_check
    from lms_bot.people.users import UserMapper
    from lms_bot.store.models import LMSActivityEvent, LMSEventLog
    from lms_bot.watch.monitor import ActivityMonitor

_PUBLIC = {
    "BriefFormatter": ("lms_bot.notify.brief", "BriefFormatter"),
    "handler_class": ("lms_bot.bot", "LMSBotHandler"),
    "ActivityMonitor": ("lms_bot.watch.monitor", "ActivityMonitor"),
    "LMSActivityEvent": ("lms_bot.store.models", "LMSActivityEvent"),
    "LMSActivityEventHandler": ("lms_bot.notify.events", "LMSActivityEventHandler"),
    "LMSEventLog": ("lms_bot.store.models", "LMSEventLog"),
    "MessageFormatter": ("lms_bot.notify.formatter", "MessageFormatter"),
    "UserMapper": ("lms_bot.people.users", "UserMapper"),
    "health_check": ("lms_bot.operation.health", "health_check"),
}

keep_importable()
look_up_with(lambda kind: import_module("lms_bot.app").get_app().get_part(kind))

__all__ = [
    "ActivityMonitor",
    "BriefFormatter",
    "LMSActivityEvent",
    "LMSActivityEventHandler",
    "LMSEventLog",
    "MessageFormatter",
    "UserMapper",
    "__version__",
    "handler_class",
    "health_check",
]


def __getattr__(name: str) -> Any:
    """Loads the public names when they are asked for, so that importing the package costs nothing."""
    if name not in _PUBLIC:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    module, attribute = _PUBLIC[name]
    return getattr(import_module(module), attribute)
