"""Requests to Zulip, each sent once, and what their failures mean: our own client, made from a zuliprc's words.

The stock client resends POSTs on errors (`retry_on_errors`) and so doubles messages, never waits on 429, raises
on a 15 s timeout, and asks the network in its constructor. Here it sends once and every failure is classed.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, nullcontext
from time import monotonic
from typing import IO, Any

import requests
import zulip

from lms_bot.core.errors import (
    LMSBotError,
    ZulipFailed,
    ZulipFateUnknown,
    ZulipForbidden,
    ZulipRateLimited,
    ZulipRefused,
    ZulipUnavailable,
)
from lms_bot.zulip.credentials import Credentials
from lms_bot.zulip.outage import Outage

SEND_TIMEOUT_SECONDS = 15.0
WINDOW_SECONDS = 60.0
UNDER_WAY_SECONDS = 0.01  # before it is looked again whether a request under way was answered
DEFAULT_LIMIT = 200  # requests a minute for one account: https://zulip.com/api/http-headers#x-ratelimit-limit
DEACTIVATED = ("USER_DEACTIVATED", "REALM_DEACTIVATED")
EVENTS = "events"  # polling is counted by itself: it uses up nothing of what requests may


class Pace:
    """Keeps us below what Zulip allows within any minute, so that it never has to say 429.

    Zulip says with each answer how many requests are left (`X-RateLimit-Remaining`, counted over the last minute,
    for all that use this account). Between answers, our own requests that have left that minute are added.
    """

    def __init__(self, now: Callable[[], float] = monotonic) -> None:
        self._now = now
        self._lock = threading.Lock()
        self._answered: deque[float] = deque()
        self._remaining = DEFAULT_LIMIT
        self._under_way = 0
        self.limit = DEFAULT_LIMIT

    @contextmanager
    def request(self) -> Iterator[None]:
        """Counts a request that is under way as one that is used up: several threads may ask at once."""
        with self._lock:
            self._under_way += 1
        try:
            yield
        finally:
            with self._lock:
                self._under_way -= 1

    def note(self, limit: int, remaining: int) -> None:
        """An answer came, with what Zulip said of the rate."""
        with self._lock:
            self._forget_old()
            self._answered.append(self._now())
            self.limit, self._remaining = limit, remaining

    def seconds_until_free(self, reserved: int) -> float:
        """How long to wait so that this many requests of the minute are left for others; 0: not at all."""
        with self._lock:
            self._forget_old()
            if self._remaining - self._under_way > min(reserved, self.limit // 4):
                return 0.0
            if not self._answered:  # all that is left is under way
                return UNDER_WAY_SECONDS
            return max(UNDER_WAY_SECONDS, self._answered[0] + WINDOW_SECONDS - self._now())

    def _forget_old(self) -> None:
        until = self._now() - WINDOW_SECONDS
        while self._answered and self._answered[0] <= until:
            self._answered.popleft()
            self._remaining = min(self.limit, self._remaining + 1)
        if not self._answered:  # what others left us a minute ago is past, too
            self._remaining = self.limit


class ZulipClient:
    """Threads share it; each has a client of its own.

    `call` raises ZulipUnavailable (certainly not carried out), ZulipRateLimited (neither; wait),
    ZulipForbidden (our key is refused), ZulipRefused (no, for good) or ZulipFateUnknown (carried out perhaps).
    """

    def __init__(self, credentials: Credentials, *, timeout_seconds: float = SEND_TIMEOUT_SECONDS) -> None:
        self.credentials = credentials
        self._timeout_seconds = timeout_seconds
        self._of_thread = threading.local()
        self.pace = Pace()
        self.outage = Outage()

    def _call(
        self,
        url: str,
        method: str,
        request: Mapping[str, Any],
        files: list[IO[Any]] | None = None,
        timeout_seconds: float | None = None,
    ) -> dict[str, Any]:
        began_at = self.outage.start_request()
        client = self._client()
        timeout = timeout_seconds or self._timeout_seconds
        with nullcontext() if url == EVENTS else self.pace.request():
            try:
                response = client.call_endpoint(url, method, dict(request), files=files, timeout=timeout)
            except (requests.RequestException, zulip.ZulipError) as error:
                raise _of_failed_request(error) from error
        answer = self._success(response)
        self.outage.note_success(began_at)
        return answer

    def _success(self, response: Mapping[str, Any]) -> dict[str, Any]:
        """The one place that reads `result`."""
        if response.get("result") == "success":
            return dict(response)
        raise self._of_answer(response)

    def _of_answer(self, response: Mapping[str, Any]) -> LMSBotError:  # noqa: PLR0911  (a line for each answer)
        status, said = self._of_thread.status, str(response.get("msg", ""))
        is_of_zulip = response.get("result") == "error"  # else of a proxy before it, which cannot speak for it
        if status == 429:
            seconds = float(response.get("retry-after", self._of_thread.retry_after or 1.0))
            return ZulipRateLimited("Zulip asks us to slow down", retry_after_seconds=seconds)
        if status == 401 or (status == 403 and response.get("code") in DEACTIVATED):
            return ZulipForbidden(f"Zulip refuses the bot itself: {said}")
        if is_of_zulip and status < 500:
            return ZulipRefused(said or f"Zulip refused the request (HTTP {status})")
        if status == 413:
            return ZulipRefused("it is too large for Zulip (HTTP 413)")
        if 300 <= status < 500:
            return ZulipUnavailable(f"something before Zulip refused the request (HTTP {status})")
        if status == 200 or (is_of_zulip and status == 500):
            return ZulipFailed(f"Zulip answered with an error of its own (HTTP {status})")
        return ZulipFateUnknown(f"something before Zulip answered with an error (HTTP {status})")

    def _client(self) -> zulip.Client:
        client = getattr(self._of_thread, "client", None)
        if client is None:
            client = self._of_thread.client = self._connect()
        return client

    def _connect(self) -> zulip.Client:
        own = self.credentials
        try:
            client = zulip.Client(
                email=own.email,
                api_key=own.api_key,
                site=own.site,
                client="LmsBot",
                retry_on_errors=False,
                insecure=own.insecure,
                cert_bundle=own.cert_bundle,
                client_cert=own.client_cert,
                client_cert_key=own.client_cert_key,
            )
        except (requests.RequestException, zulip.ZulipError, AssertionError, KeyError) as error:
            raise ZulipUnavailable("Zulip cannot be reached") from error
        client.ensure_session()
        assert client.session is not None
        client.session.hooks["response"].append(self._note_answer)
        return client

    def _note_answer(self, response: requests.Response, *_: Any, **__: Any) -> None:
        """The stock client hides status and headers; both matter here."""
        self._of_thread.status = response.status_code
        headers = response.headers
        self._of_thread.retry_after = headers.get("Retry-After")
        if "X-RateLimit-Limit" in headers and not _is_polling(response):
            self.pace.note(int(headers["X-RateLimit-Limit"]), int(headers["X-RateLimit-Remaining"]))


def _is_polling(response: requests.Response) -> bool:
    return (response.request.path_url or "").partition("?")[0].endswith(f"/{EVENTS}")


def _of_failed_request(error: Exception) -> LMSBotError:
    """No answer: nobody was there to hear the request, or it was heard and its fate is unknown."""
    if _is_caused_by(error, requests.exceptions.ConnectTimeout, _NewConnectionError):
        return ZulipUnavailable("Zulip cannot be reached")
    return ZulipFateUnknown("Zulip did not answer: the connection was lost or took too long")


def _is_caused_by(error: BaseException | None, *kinds: type[BaseException]) -> bool:
    seen: set[int] = set()
    pending: list[Any] = [error]
    while pending:
        one = pending.pop()
        if not isinstance(one, BaseException) or id(one) in seen:
            continue
        if isinstance(one, kinds):
            return True
        seen.add(id(one))
        pending += [one.__cause__, one.__context__, getattr(one, "reason", None), *one.args]
    return False


_NewConnectionError: type[BaseException] = requests.packages.urllib3.exceptions.NewConnectionError  # type: ignore[attr-defined]
