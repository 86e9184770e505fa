"""Modules that were once called otherwise and may be named in settings and in other people's subclasses."""

from __future__ import annotations

import sys
from importlib import import_module
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from types import ModuleType

FORMER_NAMES = {
    "lms_bot.events": "lms_bot.notify.events",
    "lms_bot.formatter": "lms_bot.notify.formatter",
    "lms_bot.users": "lms_bot.people.users",
}


class _FormerNames(MetaPathFinder, Loader):
    """Gives the module that has the name's place now, so that both names mean the same classes."""

    def find_spec(self, fullname: str, *_: object) -> ModuleSpec | None:
        return ModuleSpec(fullname, self) if fullname in FORMER_NAMES else None

    def create_module(self, spec: ModuleSpec) -> ModuleType:
        return import_module(FORMER_NAMES[spec.name])

    def exec_module(self, module: ModuleType) -> None:
        """It was executed under the name it has now."""


def keep_importable() -> None:
    """Once for the process, however often it is called."""
    if not any(isinstance(finder, _FormerNames) for finder in sys.meta_path):
        sys.meta_path.append(_FormerNames())
