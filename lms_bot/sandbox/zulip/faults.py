"""How the sandbox Zulip misbehaves when told to: errors, lost answers, slowness, refusals."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase

from lms_bot.sandbox.zulip.http import Answer
from lms_bot.sandbox.zulip.rates import limit_hit
from lms_bot.sandbox.zulip.refusals import ConnectionLost

INTERNAL_ERROR = {"result": "error", "msg": "Internal server error"}
BAD_GATEWAY = (
    "<html>\r\n<head><title>502 Bad Gateway</title></head>\r\n<body>\r\n"
    "<center><h1>502 Bad Gateway</h1></center>\r\n<hr><center>nginx</center>\r\n</body>\r\n</html>\r\n"
)


@dataclass(frozen=True)
class Fault:
    """
    One way to misbehave, for the next `times` matching requests, or all of them (None).

    `method` and `path` (below /api/v1/, e.g. "messages") are patterns with `*`; `user_id` limits the fault
    to the requests of one account. `seconds` is the wait of the slow kinds and the retry-after of
    "rate_limited"; `status` is the status of "error_before". Kinds:

    error_before       an error, and the request is not carried out
    error_after        carried out, then answered with 500
    answer_lost        carried out, then the connection is closed without an answer
    slow_before        carried out and answered only after `seconds`
    slow_after         carried out at once, answered only after `seconds`
    html_502           the HTML of a proxy whose server is away; not carried out
    rate_limited       429; not carried out
    truncated_json     carried out; half of the JSON comes, as if that were all
    truncated_body     carried out; the connection is closed in the middle of the answer
    refused_connection closed before anything is read, whatever is asked and by whom
    """

    kind: str
    method: str = "POST"
    path: str = "messages"
    times: int | None = 1
    seconds: float = 0.0
    status: int = 500
    user_id: int | None = None

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise ValueError(f"unknown kind of fault {self.kind!r}; there are: {', '.join(KINDS)}")

    def concerns(self, method: str, path: str, user_id: int | None) -> bool:
        return fnmatchcase(method, self.method) and fnmatchcase(path, self.path) and self.user_id in (None, user_id)


class Faults:
    """The faults in force, oldest first. Thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._faults: list[Fault] = []

    def add(self, fault: Fault) -> None:
        with self._lock:
            self._faults.append(fault)

    def clear(self) -> None:
        with self._lock:
            self._faults.clear()

    def get_all(self) -> list[Fault]:
        with self._lock:
            return list(self._faults)

    def take(self, method: str, path: str, user_id: int | None) -> Fault | None:
        """The oldest fault this request meets, used up by one."""
        return self._take(lambda each: each.kind != REFUSED and each.concerns(method, path, user_id))

    def take_refusal(self) -> Fault | None:
        """The oldest fault that refuses connections, used up by one."""
        return self._take(lambda each: each.kind == REFUSED) if self._faults else None

    def _take(self, is_met: Callable[[Fault], bool]) -> Fault | None:
        with self._lock:
            for place, fault in enumerate(self._faults):
                if is_met(fault):
                    if fault.times is not None:
                        left = fault.times - 1
                        self._faults[place : place + 1] = [replace(fault, times=left)] if left > 0 else []
                    return fault
        return None


CarryOut = Callable[[], Answer]
Wait = Callable[[float], object]


def misbehave(fault: Fault, carry_out: CarryOut, wait: Wait) -> Answer:
    """What the client gets for a request that meets the fault."""
    return KINDS[fault.kind](fault, carry_out, wait)


def _error_before(fault: Fault, _carry_out: CarryOut, _wait: Wait) -> Answer:
    return Answer.of_json(INTERNAL_ERROR, status=fault.status)


def _error_after(_fault: Fault, carry_out: CarryOut, _wait: Wait) -> Answer:
    carry_out()
    return Answer.of_json(INTERNAL_ERROR, status=500)


def _answer_lost(_fault: Fault, carry_out: CarryOut, _wait: Wait) -> Answer:
    carry_out()
    raise ConnectionLost


def _slow_before(fault: Fault, carry_out: CarryOut, wait: Wait) -> Answer:
    wait(fault.seconds)
    return carry_out()


def _slow_after(fault: Fault, carry_out: CarryOut, wait: Wait) -> Answer:
    answer = carry_out()
    wait(fault.seconds)
    return answer


def _html_502(_fault: Fault, _carry_out: CarryOut, _wait: Wait) -> Answer:
    return Answer(502, BAD_GATEWAY.encode(), "text/html")


def _rate_limited(fault: Fault, _carry_out: CarryOut, _wait: Wait) -> Answer:
    refusal = limit_hit(float(fault.seconds))
    return Answer.of_json(refusal.body, status=refusal.status, headers=refusal.headers)


def _truncated_json(_fault: Fault, carry_out: CarryOut, _wait: Wait) -> Answer:
    answer = carry_out()
    answer.body = answer.body[: len(answer.body) // 2]
    return answer


def _truncated_body(_fault: Fault, carry_out: CarryOut, _wait: Wait) -> Answer:
    answer = carry_out()
    answer.is_cut = True
    return answer


def _refused_connection(_fault: Fault, _carry_out: CarryOut, _wait: Wait) -> Answer:
    raise ConnectionLost


REFUSED = "refused_connection"
KINDS: dict[str, Callable[[Fault, CarryOut, Wait], Answer]] = {
    "error_before": _error_before,
    "error_after": _error_after,
    "answer_lost": _answer_lost,
    "slow_before": _slow_before,
    "slow_after": _slow_after,
    "html_502": _html_502,
    "rate_limited": _rate_limited,
    "truncated_json": _truncated_json,
    "truncated_body": _truncated_body,
    REFUSED: _refused_connection,
}
