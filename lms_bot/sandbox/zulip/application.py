"""From a request to the sandbox Zulip to its answer: faults, sign-in, limits, routes, files, control."""

from __future__ import annotations

import json
import threading
from collections import deque
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

from lms_bot.sandbox.zulip import routes_people  # noqa: F401  (adds its routes to the table)
from lms_bot.sandbox.zulip.calls import Call, Route
from lms_bot.sandbox.zulip.descriptions import describe_server
from lms_bot.sandbox.zulip.faults import Fault, Faults, misbehave
from lms_bot.sandbox.zulip.http import Answer, Request
from lms_bot.sandbox.zulip.people import API_KEY_LENGTH, SandboxPerson
from lms_bot.sandbox.zulip.rates import LeakyBucket, Limit, SlidingWindow
from lms_bot.sandbox.zulip.realm import Realm
from lms_bot.sandbox.zulip.refusals import ConnectionLost, Refusal, unauthorized
from lms_bot.sandbox.zulip.routes import routes
from lms_bot.sandbox.zulip.uploads import PREFIX, Upload, Uploads

REQUESTS_REMEMBERED = 20_000
NOT_FOUND = "<!DOCTYPE html>\n<html><head><title>Error | Zulip</title></head><body>404</body></html>"
NOT_YOURS = "<p>You are not authorized to view this file.</p>"
NO_FILE = "<p>File not found.</p>"
CONTROL = "/sandbox/"
UPLOADS = "user_uploads/"


@dataclass(frozen=True)
class SandboxRequest:
    """
    One request as it went. `at` is in epoch seconds, `path` is that of the URL, as in "/api/v1/messages";
    `status` is None where the connection was closed without an answer. `narrow` is what a search asked for.
    """

    at: float
    user_id: int | None
    method: str
    path: str
    status: int | None
    narrow: str = ""


class Application:
    """Answers requests about one realm."""

    def __init__(self, realm: Realm, faults: Faults, *, requests_per_minute: int) -> None:
        self._realm = realm
        self._faults = faults
        self.uploads = Uploads(realm, realm.now)
        self._limit = SlidingWindow(requests_per_minute, realm.now)
        self._polling_limit = LeakyBucket(requests_per_minute, realm.now)
        self._stopping = threading.Event()
        self.requests: deque[SandboxRequest] = deque(maxlen=REQUESTS_REMEMBERED)
        self.noted = threading.Condition(realm.lock)

    def interrupt(self, is_interrupted: bool) -> None:
        """End whatever waits, and let nothing wait, until called with False."""
        (self._stopping.set if is_interrupted else self._stopping.clear)()
        self._realm.queues.interrupt(is_interrupted)

    def accepts_connection(self) -> bool:
        return self._faults.take_refusal() is None and not self._stopping.is_set()

    def respond(self, request: Request) -> Answer:
        """The answer, misbehaving where a fault says so. Raises ConnectionLost where there is to be none."""
        if request.path.startswith(CONTROL):
            return self._control(request)
        user_id = self._guess_user_id(request)
        fault = self._faults.take(request.method, request.path, user_id)
        status = None
        try:
            if fault is None:
                answer = self._answer(request)
            else:
                answer = misbehave(fault, lambda: self._answer(request), self._wait)
            status = answer.status
            return answer
        finally:
            narrow = request.params.get("narrow", "")
            entry = SandboxRequest(self._realm.now(), user_id, request.method, request.url_path, status, narrow)
            with self.noted:
                self.requests.append(entry)
                self.noted.notify_all()

    def _wait(self, seconds: float) -> None:
        if self._stopping.wait(seconds):
            raise ConnectionLost

    def _guess_user_id(self, request: Request) -> int | None:
        try:
            person = self._realm.find_by_delivery_email(request.credentials[0])
        except Refusal:
            return None
        return person.user_id if person else None

    def _answer(self, request: Request) -> Answer:
        try:
            if request.path == "server_settings" and request.method == "GET":
                return Answer.of_json({"result": "success", "msg": "", **describe_server(self._realm)})
            if request.path.startswith((PREFIX, UPLOADS)):
                return self._answer_file(request)
            return self._answer_route(request)
        except Refusal as refusal:
            return _refuse(refusal)

    def _answer_route(self, request: Request) -> Answer:
        found = routes.find(request.path)
        if found is None:
            return Answer.of_html(NOT_FOUND, status=404)
        methods, path_args = found
        if request.method not in methods:
            return _not_allowed([*methods, "HEAD"] if "GET" in methods else list(methods))
        viewer = self._sign_in(request)
        limit: Limit = self._polling_limit if request.path == "events" else self._limit
        standing = limit.count(viewer.user_id)
        call = Call(self._realm, self.uploads, viewer, request, path_args)
        answer = _carry_out(methods[request.method], call)
        if not call.has_waited:
            answer.headers.update(standing)
        return answer

    def _sign_in(self, request: Request) -> SandboxPerson:
        email, api_key = request.credentials
        person = self._realm.find_by_delivery_email(email)
        if len(api_key) != API_KEY_LENGTH or not api_key.isalnum():
            raise unauthorized("Malformed API key")
        if person is None or person.api_key != api_key:
            raise unauthorized("Invalid API key")
        if not person.is_active:
            raise unauthorized("Account is deactivated")
        return person

    # Files

    def _answer_file(self, request: Request) -> Answer:
        """A file at its plain or temporary path; under /api/v1/, the temporary path of the file."""
        is_api = request.path.startswith(UPLOADS)
        path = "/" + request.path if is_api else request.path
        temporary = self.uploads.find_temporary(path)
        if temporary is not None:
            return _send_file(temporary)
        upload = self.uploads.find(path)
        try:
            viewer = self._sign_in(request)
        except Refusal:
            if is_api:
                raise
            return Answer.of_html(NOT_YOURS, status=403)
        if upload is None:
            return Answer.of_html(NO_FILE, status=404)
        if not self.uploads.may_read(viewer, upload):
            return Answer.of_html(NOT_YOURS, status=403)
        if is_api:
            url = self.uploads.make_temporary_path(upload)
            return Answer.of_json({"result": "success", "msg": "", "url": url})
        return _send_file(upload)

    # The door for another process that wants to play with this server

    def _control(self, request: Request) -> Answer:
        """
        POST /sandbox/faults (an object with the fields of `Fault`, or a list of them), GET and DELETE
        /sandbox/faults, GET /sandbox/messages, POST /sandbox/queues/drop.
        """
        if not self._is_local(request):
            return Answer.of_json({"result": "error", "msg": "Only from this machine"}, status=403)
        try:
            act = self._controls()[request.method, request.path[len(CONTROL) :]]
        except KeyError:
            return Answer.of_json({"result": "error", "msg": "No such control"}, status=404)
        try:
            return Answer.of_json({"result": "success", "msg": "", **(act(request) or {})})
        except (TypeError, ValueError) as error:
            return Answer.of_json({"result": "error", "msg": str(error)}, status=400)

    def _is_local(self, request: Request) -> bool:
        """Not sent by a page of some other site in a browser on this machine."""
        own = {self._realm.site, self._realm.site.replace("127.0.0.1", "localhost")}
        is_own_page = request.headers.get("Origin", self._realm.site) in own
        return is_own_page and f"http://{request.headers.get('Host')}" in own

    def _controls(self) -> dict[tuple[str, str], Callable[[Request], dict[str, Any] | None]]:
        return {
            ("GET", "faults"): lambda _request: {"faults": [asdict(each) for each in self._faults.get_all()]},
            ("POST", "faults"): self._add_faults,
            ("DELETE", "faults"): lambda _request: self._faults.clear(),
            ("GET", "messages"): self._list_messages,
            ("POST", "queues/drop"): lambda _request: self._realm.queues.drop_all(),
        }

    def _add_faults(self, request: Request) -> None:
        wishes = json.loads(request.body)
        for fault in [Fault(**wish) for wish in (wishes if isinstance(wishes, list) else [wishes])]:
            self._faults.add(fault)

    def _list_messages(self, _request: Request) -> dict[str, Any]:
        with self._realm.lock:
            return {"messages": [asdict(message) for message in self._realm.messages.values()]}


def _refuse(refusal: Refusal) -> Answer:
    return Answer.of_json(refusal.body, status=refusal.status, headers=refusal.headers)


def _carry_out(route: Route, call: Call) -> Answer:
    try:
        body = {"result": "success", "msg": "", **route.carry(call)}
    except Refusal as refusal:
        return _refuse(refusal)
    ignored = sorted(call.request.params.keys() - route.params)
    if ignored:
        body["ignored_parameters_unsupported"] = ignored
    return Answer.of_json(body)


def _not_allowed(methods: list[str]) -> Answer:
    body = {"result": "error", "msg": "Method Not Allowed", "allowed_methods": methods}
    answer = Answer.of_json(body, status=405, headers={"Allow": ", ".join(methods)})
    answer.content_type = "text/html; charset=utf-8"  # so it does
    return answer


def _send_file(upload: Upload) -> Answer:
    headers = {"Content-Disposition": upload.disposition, "Cache-Control": "private, immutable"}
    return Answer(200, upload.content, upload.content_type, headers)
