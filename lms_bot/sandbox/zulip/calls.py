"""What a route of the sandbox Zulip is given: who calls, with which parameters; and the table of routes."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from lms_bot.sandbox.zulip.http import Request
from lms_bot.sandbox.zulip.people import SandboxPerson
from lms_bot.sandbox.zulip.realm import Realm
from lms_bot.sandbox.zulip.refusals import Refusal, bad_value, missing_argument
from lms_bot.sandbox.zulip.uploads import Uploads

_REQUIRED: Any = object()


@dataclass
class Call:
    """One authenticated request. Parameters are read by type; a wrong or missing one is refused."""

    realm: Realm
    uploads: Uploads
    viewer: SandboxPerson
    request: Request
    path_args: tuple[str, ...]
    has_waited: bool = False

    @property
    def client(self) -> str:
        """The name of the program that calls, as Zulip takes it from the user agent."""
        agent: str = self.request.headers.get("User-Agent") or "Unspecified"
        return re.split(r"[/ (]", agent, maxsplit=1)[0]

    def text(self, name: str, default: Any = _REQUIRED) -> Any:
        value = self.request.params.get(name, default)
        if value is _REQUIRED:
            raise missing_argument(name)
        return value

    def integer(self, name: str, default: Any = _REQUIRED) -> Any:
        value = self.text(name, default)
        try:
            return int(value) if isinstance(value, str) else value
        except ValueError:
            raise bad_value(name, value) from None

    def json(self, name: str, default: Any = _REQUIRED) -> Any:
        value = self.text(name, default)
        try:
            return json.loads(value) if isinstance(value, str) else value
        except ValueError:
            raise Refusal(f'Argument "{name}" is not valid JSON.') from None

    def boolean(self, name: str, default: bool) -> bool:
        value = self.json(name, default)
        if not isinstance(value, bool):
            raise Refusal(f"{name} is not a boolean")
        return value

    def integers(self, name: str) -> list[int]:
        value = self.json(name)
        if not isinstance(value, list):
            raise Refusal(f"{name} is not a list")
        for place, item in enumerate(value):
            if not isinstance(item, int):
                raise Refusal(f"{name}[{place}] is not an integer")
        return value


Body = dict[str, Any]
Carry = Callable[[Call], Body]


@dataclass(frozen=True)
class Route:
    carry: Carry
    params: frozenset[str]


class Routes:
    """Which function answers which method and path. In a path, `*` stands for one step."""

    def __init__(self) -> None:
        self._by_path: dict[str, dict[str, Route]] = {}
        self._patterns: list[tuple[re.Pattern[str], dict[str, Route]]] = []

    def add(self, method: str, path: str, params: str = "") -> Callable[[Carry], Carry]:
        """Decorator: the function answers this; `params` are the names it reads, others are reported back."""

        def register(carry: Carry) -> Carry:
            methods = self._by_path.setdefault(path, {})
            if not methods and "*" in path:
                pattern = re.escape(path).replace(r"\*", "([^/]+)")
                self._patterns.append((re.compile(pattern), methods))
            methods[method] = Route(carry, frozenset(params.split()))
            return carry

        return register

    def find(self, path: str) -> tuple[dict[str, Route], tuple[str, ...]] | None:
        """The methods known for this path and what stands for the `*`, or None."""
        if path in self._by_path:
            return self._by_path[path], ()
        for pattern, methods in self._patterns:
            if match := pattern.fullmatch(path):
                return methods, match.groups()
        return None
