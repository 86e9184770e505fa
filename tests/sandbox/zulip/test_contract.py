"""
The sandbox Zulip answers as a real one did.

Each exchange recorded with a real server is replayed against the sandbox in the same situation: status,
headers that clients act on, keys and types of the answer, and all values that a server is not free in. Then
the answer must break Zulip's published API description nowhere but where the recorded answer does.
"""

from __future__ import annotations

import functools
import json
import re
from collections.abc import Iterator
from typing import Any

import jsonschema
import pytest
import yaml

from tests.places import RECORDINGS
from tests.worlds.zulip_recorded_world import SETUPS, Exchange, RecordedWorld, World, World10
from tests.worlds.zulip_rules import without_colours

FOLDER = RECORDINGS
if not all((FOLDER / name).is_dir() for name in ("recordings", "recordings-10")):
    pytest.skip(f"no recordings of a real Zulip in {FOLDER}", allow_module_level=True)

LEFT_OUT = {
    "outage_all_down": "no exchange: the connection is refused (see the test of stopping)",
    "register_bot_fetch_realm_user": "asks for some ninety settings of an organization, which the sandbox has"
    " not; what it tells of people is compared below",
    "send_10000_emoji_astral": "refused for how long it takes to render; the sandbox renders only what is read",
    "upload_81MiB_nginx": "a limit of the proxy before the server, hit before the body is read",
    "users_list_entries": "no exchange but an excerpt of others",
    "10/register_realm_settings": "asks for some hundred settings of an organization, which the sandbox has not",
    "10/server_settings": "the sandbox is a Zulip 7.0, but for its widgets: it knows no `realm_url`",
}
HEADERS = (
    *("content-type", "content-disposition", "retry-after", "www-authenticate", "allow"),
    *("x-ratelimit-limit", "x-ratelimit-remaining", "x-ratelimit-reset"),
)
# Where a server is free: times, versions, generated names, its own address, looks.
FREE_VALUES = {
    *("timestamp", "edit_timestamp", "last_edit_timestamp", "date_joined", "date_created", "retry-after"),
    *("id", "queue_id", "max_message_id", "first_message_id", "recipient_id", "stream_id"),
    *("zulip_version", "zulip_merge_base", "realm_uri", "realm_icon", "avatar_url", "avatar_url_medium"),
    *("uri", "url", "color", "realm_description", "rendered_description"),
}
IN_ORDER = {"messages", "events", "edit_history"}
UNCOUNTED = {
    "attachment_plain_get_no_auth": "anonymous requests are counted by address, here not at all",
    "outage_tornado_down_register": "a fault comes before the counting",
}


FOLDERS = {"": FOLDER / "recordings", "10/": FOLDER / "recordings-10"}
"""By what the names of the recordings begin with."""


def load(name: str) -> dict[str, Any]:
    version, slash, stem = name.rpartition("/")
    recording: dict[str, Any] = json.loads((FOLDERS[version + slash] / f"{stem}.json").read_text("utf-8"))
    return recording


RECORDED = sorted(version + path.stem for version, folder in FOLDERS.items() for path in folder.glob("*.json"))
REPLAYED = [name for name in RECORDED if name not in LEFT_OUT]


@pytest.fixture
def world(request: pytest.FixtureRequest) -> Iterator[RecordedWorld]:
    """The organization in which the test's recording was made."""
    is_of_10 = "name" in request.fixturenames and request.getfixturevalue("name").startswith("10/")
    world = World10() if is_of_10 else World()
    with world.zulip:
        yield world


def test_every_setup_and_every_exception_belongs_to_a_recording() -> None:
    assert {*SETUPS, *LEFT_OUT, *UNCOUNTED} <= set(RECORDED)
    assert not SETUPS.keys() & LEFT_OUT.keys()


@pytest.mark.parametrize("name", REPLAYED)
def test_answers_as_recorded(world: RecordedWorld, name: str) -> None:
    recording = load(name)
    status, headers, body = replay(world, name, recording)
    assert status == recording["status"]
    assert kinds_of(headers, name) == kinds_of({k.lower(): v for k, v in recording["headers"].items()}, name)
    expected = recording["body"]
    if "_text" not in expected:
        answer = json.loads(world.restore(body.decode()))
        assert shape_of(answer) == shape_of(expected)
        assert fixed_values(answer) == fixed_values(expected)
        assert violations(recording, answer) <= violations(recording, expected)


def replay(world: RecordedWorld, name: str, recording: dict[str, Any]) -> tuple[int, dict[str, str], bytes]:
    request = recording["request"]
    exchange = Exchange(request["method"], request["path"], (request["body"] or "").encode())
    exchange.headers["User-Agent"] = request.get("user_agent", "Python-urllib/3")
    if exchange.body:
        exchange.headers["Content-Type"] = "application/x-www-form-urlencoded"
    person = world.realm.find_by_delivery_email(request["auth_user"])
    if person is not None:
        exchange.sign(person.delivery_email, person.api_key)
    SETUPS.get(name, lambda world, exchange: world.tell_all())(world, exchange)  # type: ignore[no-untyped-call]
    return world.send(exchange)


def kinds_of(headers: dict[str, str], name: str) -> dict[str, Any]:
    """The headers clients act on: their presence, and the values that are no measure of anything."""
    found = {key: headers[key] for key in HEADERS if key in headers}
    if name in UNCOUNTED:
        found = {key: value for key, value in found.items() if not key.startswith("x-ratelimit")}
    free = ("x-ratelimit-remaining", "x-ratelimit-reset", "retry-after", "allow")
    return {key: "any" if key in free else value for key, value in found.items()}


def shape_of(value: Any) -> Any:
    """Keys and types. Of a list, the different shapes in it, in whatever order."""
    if isinstance(value, dict):
        return {key: shape_of(item) for key, item in sorted(value.items())}
    if isinstance(value, list):
        return sorted({json.dumps(shape_of(item)) for item in value})
    return type(value).__name__


def fixed_values(value: Any, name: str = "") -> Any:
    """The values a server is not free in. Lists are sorted where their order means nothing."""
    if isinstance(value, dict):
        is_object = "full_name" in value or "type" in value  # a person, message or event, known by its id
        free = FREE_VALUES - ({"id"} if is_object else set())
        return {key: fixed_values(item, key) for key, item in sorted(value.items()) if key not in free}
    if isinstance(value, list):
        items = [fixed_values(item) for item in value]
        return items if name in IN_ORDER else sorted(items, key=json.dumps)
    return without_colours(value) if isinstance(value, str) else value


def test_says_the_same_of_people_when_a_client_signs_in(world: RecordedWorld) -> None:
    recording = load("register_bot_fetch_realm_user")
    recording["request"]["body"] = "event_types=%5B%22message%22%5D&fetch_event_types=%5B%22realm_user%22%5D"
    _, _, body = replay(world, "", recording)
    answer = json.loads(body)
    expected = {key: value for key, value in recording["body"].items() if key in answer}
    system_bots = expected["cross_realm_bots"]
    assert len(answer) > 20 and system_bots
    expected["cross_realm_bots"] = []
    assert shape_of(answer) == shape_of(expected)
    assert fixed_values(answer) == fixed_values(expected)


# Zulip's published description


@functools.cache
def published_api() -> dict[str, Any]:
    api: dict[str, Any] = to_json_schema(yaml.safe_load((FOLDER / "openapi.yaml").read_text("utf-8")))
    return api


def to_json_schema(value: Any) -> Any:
    """OpenAPI 3.0 says `nullable` where JSON Schema lists null among the types; the rest is the same."""
    if isinstance(value, list):
        return [to_json_schema(item) for item in value]
    if not isinstance(value, dict):
        return value
    schema = {key: to_json_schema(item) for key, item in value.items()}
    if schema.get("nullable") is True and isinstance(schema.get("type"), str):
        schema["type"] = [schema["type"], "null"]
    return schema


def find_schema(method: str, path: str, status: int) -> dict[str, Any] | None:
    """The description of this answer, or None where the published part has none."""
    path = path.partition("?")[0].removeprefix("/api/v1")
    paths = published_api()["paths"]
    templates = [path] if path in paths else [each for each in paths if fits(each, path)]
    if path.startswith("/users/") and templates:
        templates = ["/users/{user_id}" if path[len("/users/") :].isdigit() else "/users/{email}"]
    for template in templates:
        response = paths[template].get(method.lower(), {}).get("responses", {}).get(str(status))
        if response is not None:
            if "$ref" in response:
                response = published_api()["components"]["responses"][response["$ref"].rpartition("/")[2]]
            schema: dict[str, Any] = response["content"]["application/json"]["schema"]
            return schema
    return None


def fits(template: str, path: str) -> bool:
    return re.fullmatch(re.sub(r"\{\w+\}", "[^/]+", template), path) is not None


def violations(recording: dict[str, Any], body: Any) -> set[tuple[str, str]]:
    """
    Where the body breaks the description: the rule, and where the rule is written.

    The description closes objects by a last branch of `allOf` that names every key and forbids others, which
    plain JSON Schema understands. Where a real server breaks it too, the description is behind the server.
    """
    schema = find_schema(recording["request"]["method"], recording["request"]["path"], recording["status"])
    if schema is None:
        return set()
    validator = jsonschema.Draft7Validator({**schema, "components": published_api()["components"]})
    return {
        (error.validator, "/".join(str(step) for step in error.absolute_schema_path))
        for error in validator.iter_errors(body)
    }


def test_most_recorded_answers_are_described_and_few_break_the_description() -> None:
    answers = [load(name) for name in REPLAYED if "_text" not in load(name)["body"]]
    described = [
        each
        for each in answers
        if find_schema(each["request"]["method"], each["request"]["path"], each["status"]) is not None
    ]
    strict = [each for each in described if not violations(each, each["body"])]
    assert len(described) > 70
    assert len(strict) > 40


def test_the_description_catches_a_wrong_answer() -> None:
    recording = load("users_list_as_bot")
    recording["body"]["members"][0]["role"] = "member"
    recording["body"]["members"][1]["surprise"] = 1
    assert violations(recording, recording["body"])
    assert not violations(load("users_list_as_bot"), load("users_list_as_bot")["body"])
