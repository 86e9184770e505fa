"""The organizations in which real Zulip exchanges were recorded, built again in the sandbox, per recording."""

from __future__ import annotations

import base64
import http.client
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from lms_bot.sandbox.zulip import Fault, SandboxPerson, SandboxZulip

CLIENT = "LmsBot"
START = 1_795_397_090.0
EVERYTHING = ["message", "update_message", "reaction", "typing", "delete_message"]
FIRST_QUEUE = "750febf1-3605-44a5-8719-74712372bba2"
UPLOAD_PATH = "/user_uploads/2/55/KRbKF2z9LzICDsUcQZuD-JeC/homework-one.txt"
NO_KEY = "x" * 32


class Clock:
    """Time that passes only when told to."""

    def __init__(self) -> None:
        self.time = START

    def __call__(self) -> float:
        return self.time

    def advance(self, seconds: float) -> None:
        self.time += seconds


@dataclass
class Exchange:
    """One recorded request, to be sent to the sandbox."""

    method: str
    path: str
    body: bytes
    headers: dict[str, str] = field(default_factory=dict)

    def sign(self, email: str, key: str) -> None:
        self.headers["Authorization"] = "Basic " + base64.b64encode(f"{email}:{key}".encode()).decode()

    def attach(self, name: str, content: bytes) -> None:
        self.headers["Content-Type"] = "multipart/form-data; boundary=limit"
        head = f'--limit\r\nContent-Disposition: form-data; name="file"; filename="{name}"\r\n\r\n'
        self.body = head.encode() + content + b"\r\n--limit--\r\n"


class RecordedWorld:
    """A sandbox whose people and messages have the numbers they had where it was recorded."""

    def __init__(self) -> None:
        self.clock = Clock()
        self.zulip = SandboxZulip(now=self.clock, heartbeat_seconds=0.05)
        self.realm = self.zulip.realm
        self.aliases: dict[str, str] = {}  # what was recorded -> what stands for it here
        self.owner = self.add_people()

    def add_people(self) -> SandboxPerson:
        """All of them; returns the owner."""
        raise NotImplementedError

    def tell_all(self) -> None:
        """All that had happened before anything in particular was recorded."""

    def say(self, message_id: int, sender: SandboxPerson, place: Any, text: str, **more: Any) -> None:
        """Write the message with this number; what else was said before it was nobody else's business."""
        while self.realm.next_message_id < message_id:
            self.realm.send_direct(self.owner, [self.owner], "another matter", client=CLIENT)
        more = {"client": CLIENT, **more}
        if isinstance(place, str):
            self.realm.send_to_stream(sender, place, "t1", text, **more)
        else:
            people = place if isinstance(place, list) else [place]
            self.realm.send_direct(sender, people, text, **more)

    def send(self, exchange: Exchange) -> tuple[int, dict[str, str], bytes]:
        """Status, headers in lower case and body of the sandbox's answer."""
        connection = http.client.HTTPConnection(self.zulip.site.removeprefix("http://"), timeout=60)
        try:
            path = self.replace(exchange.path)
            body = self.replace(exchange.body.decode("latin-1")).encode("latin-1")
            connection.request(exchange.method, path, body or None, exchange.headers)
            answer = connection.getresponse()
            return answer.status, {k.lower(): v for k, v in answer.getheaders()}, answer.read()
        finally:
            connection.close()

    def replace(self, text: str) -> str:
        for recorded, own in self.aliases.items():
            text = text.replace(recorded, own)
        return text

    def restore(self, text: str) -> str:
        """Own names in an answer replaced by the recorded ones."""
        for recorded, own in self.aliases.items():
            text = text.replace(own, recorded)
        return text


class World(RecordedWorld):
    """The organization on Zulip 7.0; what happened there is told by `tell_until`."""

    def __init__(self) -> None:
        super().__init__()
        self.realm.name = "LMS Test Org"
        everyone = "Everyone is added to this stream by default. Welcome! :octopus:"
        self.realm.add_stream("general", description=everyone)
        self.zulip.add_stream("general", self.realm.people.values())
        self.zulip.add_stream("mentors", [self.owner, self.anna, self.bot])
        self.say(27, self.owner, "mentors", "first")
        self.say(28, self.owner, "general", "first")
        self.register(FIRST_QUEUE)
        self._story = iter(self._messages())

    def add_people(self) -> SandboxPerson:
        add = self.zulip.add_person
        owner = add("Olga Owner", email="owner@example.com", role=100)
        self.anna = add("Anna Mentor", email="mentor1@example.com", email_is_hidden=True)
        self.boris = add("Boris Mentor", email="mentor2@example.com", email_is_hidden=True)
        self.clara = add("Clara Mentor", email="mentor3@example.com")
        self.student1 = add("Anna Student", email="student1@example.com", email_is_hidden=True)
        self.student2 = add("Boris Student", email="student2@example.com", email_is_hidden=True)
        self.student3 = add("Clara Student", email="student3@example.com")
        self.dora = add("Dora Deactivated", email="deactivated@example.com", is_active=False)
        self.bot = add("lms-bot", email="lms-bot@zulip.example.com", is_bot=True)
        return owner

    def _messages(self) -> list[tuple[int, SandboxPerson, Any, str]]:
        path = self.zulip.upload(self.anna, "homework one.txt", b"homework text\n")
        self.aliases[UPLOAD_PATH] = path
        return [
            (29, self.anna, self.bot, "Hello **bot**, `1+1`?\n\n```python\nprint(1)\n```"),
            (30, self.clara, self.bot, "public-email mentor"),
            (31, self.anna, [self.bot, self.student1], "group DM"),
            (32, self.anna, "mentors", "@**lms-bot** status"),
            (33, self.anna, "mentors", "no mention here"),
            (34, self.anna, self.bot, f"here [homework one.txt]({path})"),
        ]

    def tell_until(self, message_id: int) -> None:
        """Tell the story up to this message, not further."""
        for number, sender, place, content in self._story:
            self.say(number, sender, place, content)
            if number == message_id:
                return

    def tell_all(self) -> None:
        self.tell_until(-1)

    def register(self, recorded_queue_id: str, event_types: list[str] | None = None, **wishes: Any) -> None:
        queue = self.realm.queues.register(
            self.bot.user_id,
            event_types=event_types or ["message"],
            wants_message=lambda message, flags: True,
            **{"all_public_streams": False, "apply_markdown": False, **wishes},
        )
        self.aliases[recorded_queue_id] = queue.queue_id

    def poll(self, last_event_id: int) -> None:
        queue = self.realm.queues.get(self.aliases[FIRST_QUEUE], self.bot.user_id)
        self.realm.queues.poll(queue, last_event_id, is_patient=False)


class World10(RecordedWorld):
    """The school on Zulip 10."""

    def __init__(self) -> None:
        super().__init__()
        self.realm.name = "School"

    def add_people(self) -> SandboxPerson:
        def add(name: str, full_name: str, **more: Any) -> SandboxPerson:
            return self.zulip.add_person(full_name, email=f"{name}@school.example", **more)

        owner = add("owner", "Olga Owner", role=100)
        admin = add("ada", "Ada Admin", role=200)
        self.maria = add("maria", "Maria Santos")
        add("hugo", "Hugo Hidden", timezone="America/New_York")
        add("gina", "Gina Guest", role=600)
        for name, full_name in (("dan.new", "Dan Deact"), ("john", "John Doe"), ("jane", "Jane Smith")):
            add(name, full_name)
        add("jose", "Jose Perez")
        self.bot = add("lms-bot", "LMS Bot", is_bot=True)
        self.bot.owner_id = admin.user_id
        for name, full_name in (("newt", "Newt New"), ("iris", "Iris I"), ("ivan", "Ivan I")):
            add(name, full_name)
        for number in range(1, 31):
            add(f"mm{number}", f"Mentor {number}")
        add("kira", "Kira K")
        return owner


Setup = Callable[[Any, Exchange], None]
SETUPS: dict[str, Setup] = {}


def before(*names: str) -> Callable[[Setup], Setup]:
    """What had happened before these exchanges were recorded. Without a setup, the whole story has."""

    def register(setup: Setup) -> Setup:
        SETUPS.update(dict.fromkeys(names, setup))
        return setup

    return register


@before("events_dont_block_empty", "users_me_bot", "users_me_mentor_hidden_email", "users_me_mentor_public_email")
@before("register_bot_message", "register_bot_narrow_is_dm", "register_bot_narrow_is_private")
@before("register_bot_all_public_streams", "register_bot_apply_markdown_false", "server_settings")
def nothing(world: World, exchange: Exchange) -> None:
    """The very beginning."""


# Signing in


def signs_as(email: str, key: str) -> Setup:
    return lambda world, exchange: exchange.sign(email, key)


def signs_with(header: str | None) -> Setup:
    def setup(world: World, exchange: Exchange) -> None:
        exchange.headers.pop("Authorization", None)
        if header:
            exchange.headers["Authorization"] = header

    return setup


for _name in ("auth_invalid_api_key", "auth_invalid_api_key_events"):
    SETUPS[_name] = signs_as("lms-bot@zulip.example.com", NO_KEY)
SETUPS["auth_malformed_api_key"] = signs_as("lms-bot@zulip.example.com", "short")
SETUPS["auth_none"] = signs_with(None)
SETUPS["auth_not_basic"] = signs_with("Bearer abc")
SETUPS["auth_unknown_email"] = SETUPS["rate_limit_invalid_key"] = signs_as("nobody@example.com", NO_KEY)


@before("auth_hidden_dummy_email_right_key")
def signs_with_made_up_address(world: World, exchange: Exchange) -> None:
    exchange.sign(world.anna.email, world.anna.api_key)


@before("auth_wrong_email_right_key")
def signs_with_anothers_key(world: World, exchange: Exchange) -> None:
    exchange.sign("mentor3@example.com", world.bot.api_key)


@before("deactivated_bot_send", "deactivated_bot_get_events")
def bot_is_deactivated(world: World, exchange: Exchange) -> None:
    bot = world.zulip.add_person("tmp", email="tmp1795397108-bot@zulip.example.com", is_bot=True)
    world.zulip.deactivate(bot)
    exchange.sign(bot.delivery_email, bot.api_key)


@before("admin_bot_users_list", "admin_bot_user_by_id", "admin_bot_user_by_email_hidden_real")
def bot_is_administrator(world: World, exchange: Exchange) -> None:
    world.bot.role = 200


# Queues


def told_until(message_id: int) -> Setup:
    return lambda world, exchange: world.tell_until(message_id)


SETUPS["events_dm_message"] = told_until(29)
SETUPS["events_dm_message_public_email"] = told_until(30)
SETUPS["events_group_dm"] = told_until(31)
SETUPS["events_stream_mention"] = told_until(32)
SETUPS["events_stream_no_mention"] = told_until(33)


@before("events_last_event_id_old_again")
def queue_was_read(world: World, exchange: Exchange) -> None:
    world.tell_all()
    world.poll(5)


@before("bad_event_queue_id_deleted", "delete_queue_again")
def queue_was_deleted(world: World, exchange: Exchange) -> None:
    world.realm.queues.delete(world.aliases[FIRST_QUEUE], world.bot.user_id)


@before("bad_event_queue_id_expired_idle_12min")
def queue_was_idle(world: World, exchange: Exchange) -> None:
    world.register("e3895e56-be5b-49fc-9213-1a16a159d3e4")
    world.clock.advance(12 * 60)


@before("bad_event_queue_id_expired_lifespan_5s")
def queue_was_short_lived(world: World, exchange: Exchange) -> None:
    world.register("c5c216a2-48fa-44ba-9569-0fc6dde9d12c", lifespan_seconds=5)
    world.clock.advance(130)


@before("events_heartbeat")
def queue_is_quiet(world: World, exchange: Exchange) -> None:
    world.register("d919941b-47a9-4b69-83e9-4e649d4040ff")


@before("events_dm_after_heartbeat")
def heart_has_beaten(world: World, exchange: Exchange) -> None:
    queue_is_quiet(world, exchange)
    queue_id = world.aliases["d919941b-47a9-4b69-83e9-4e649d4040ff"]
    queue = world.realm.queues.get(queue_id, world.bot.user_id)
    world.realm.queues.poll(queue, -1, is_patient=True)
    world.say(49, world.anna, world.bot, "after the heartbeat")


@before("events_dm_message_apply_markdown_true")
def queue_wants_html(world: World, exchange: Exchange) -> None:
    world.register("37bf3e37-0565-4471-b1ed-6dcbf5cbbba4", apply_markdown=True)
    world.say(62, world.anna, world.bot, "Hello **bot** @**lms-bot** [x](http://127.0.0.1:9991/a) :smile:")


@before("events_own_message")
def bot_has_written(world: World, exchange: Exchange) -> None:
    world.register("24d7bee9-9554-4ef7-93b2-3c2e75c4fdf9")
    world.say(61, world.bot, world.anna, "does the bot hear itself?")


@before("events_edit_reaction_typing_delete")
def much_has_happened(world: World, exchange: Exchange) -> None:
    world.register("5d89d494-46c3-456c-9678-f83c23857b80", EVERYTHING)
    world.say(64, world.anna, world.bot, "typo")
    world.realm.edit(world.anna, 64, "fixed")
    world.realm.react(world.anna, 64, "+1", op="add")
    world.realm.show_typing(world.anna, [world.bot], "start")
    world.realm.members_may_delete = True
    world.realm.delete(world.anna, 64)


@before("events_realm_user")
def student_came_and_went(world: World, exchange: Exchange) -> None:
    world.register("5e6e3c21-a603-4cd0-8830-4f58bf0ea54c", ["realm_user"])
    world.zulip.deactivate(world.student2)
    world.zulip.reactivate(world.student2)


@before("events_email_visibility_to_everyone")
def student_showed_address(world: World, exchange: Exchange) -> None:
    world.register("d7dfb984-c579-4395-950d-89d4f3c16fed", ["realm_user"])
    world.zulip.show_address(world.student2)


@before("events_after_graceful_tornado_restart", "events_after_graceful_tornado_restart_2")
def server_was_restarted(world: World, exchange: Exchange) -> None:
    world.register("c33a23a2-e88d-4481-9a62-ff4ad3a33309")
    world.say(56, world.anna, world.bot, "before the restart")
    world.say(57, world.bot, world.anna, "sent while tornado is down", client="python-requests")
    world.say(58, world.anna, world.bot, "sent to the bot while tornado is down")
    world.zulip.stop()
    world.zulip.start()


@before("events_after_tornado_kill9")
def server_was_killed(world: World, exchange: Exchange) -> None:
    world.register("c33a23a2-e88d-4481-9a62-ff4ad3a33309")
    world.zulip.drop_queues()


# Outages


def fault(kind: str, **more: Any) -> Setup:
    return lambda world, exchange: world.zulip.faults.add(Fault(kind, **more))


SETUPS["outage_django_down_send"] = fault("html_502")
SETUPS["outage_tornado_down_events"] = fault("html_502", method="GET", path="events")
SETUPS["outage_tornado_down_register"] = fault("error_before", path="register")


# Messages


@before("send_10000_chars", "send_10050_chars")
def writes_much(world: World, exchange: Exchange) -> None:
    length = 10050 if b"60332" in exchange.body else 10000
    exchange.body = b"type=private&to=%5B9%5D&content=" + b"%D0%B9" * length


@before("send_10000_chars_readback", "send_10050_chars_readback", "get_messages_dm_with_user_id")
@before("edit_success", "edit_to_empty", "edit_readback", "delete_own_message_as_bot")
def bot_has_written_much(world: World, exchange: Exchange) -> None:
    world.say(43, world.bot, world.anna, "й" * 10000)
    world.say(44, world.bot, world.anna, "й" * 10050)
    world.say(48, world.bot, world.anna, "to be edited")
    if exchange.method == "GET":
        world.realm.edit(world.bot, 48, "edited **now**")
    if "narrow" in exchange.path:
        world.realm.edit(world.bot, 48, "")


@before("get_messages_pm_with_email")
def bot_has_written_to_clara(world: World, exchange: Exchange) -> None:
    world.say(37, world.bot, world.clara, "by e-mail")
    world.say(38, world.bot, world.clara, "by e-mail, other case")
    world.say(40, world.bot, world.clara, "x")


@before("delete_dm_by_owner_not_party", "delete_own_message_allowed")
def anna_has_written(world: World, exchange: Exchange) -> None:
    world.realm.members_may_delete = True
    world.say(64, world.anna, world.bot, "typo")


@before("edit_deleted_message", "send_reply_to_deleted")
def anna_has_deleted(world: World, exchange: Exchange) -> None:
    anna_has_written(world, exchange)
    world.realm.delete(world.anna, 64)


@before("send_dm_when_dms_disabled", "send_dm_when_dms_disabled_human_to_bot")
@before("send_dm_when_dms_disabled_human_to_human")
def direct_messages_are_disabled(world: World, exchange: Exchange) -> None:
    world.realm.has_direct_messages = False


@before("reaction_add_again", "reaction_remove")
def bot_has_reacted(world: World, exchange: Exchange) -> None:
    world.tell_all()
    world.realm.react(world.bot, 29, "check", op="add")


# Files


def attaches(name: str, content: bytes) -> Setup:
    return lambda world, exchange: exchange.attach(name, content)


SETUPS["upload_success"] = attaches("homework one.txt", b"homework text\n")
SETUPS["upload_empty"] = attaches("empty.txt", b"")
SETUPS["upload_odd_name"] = attaches("отчёт (1).txt", b"x")
SETUPS["upload_26MiB"] = attaches("big.bin", b"x" * (26 * 1024 * 1024))


# Rate limits


@before("rate_limit_hit", "rate_limit_hit_send_message", "rate_limit_events_own_bucket")
@before("rate_limit_other_user_not_hit")
def requests_are_used_up(world: World, exchange: Exchange) -> None:
    me = Exchange("GET", "/api/v1/users/me", b"")
    me.sign("student3@example.com", world.student3.api_key)
    assert [world.send(me)[0] for _ in range(200)] == [200] * 200


@before("rate_limit_after_wait")
def requests_are_allowed_again(world: World, exchange: Exchange) -> None:
    requests_are_used_up(world, exchange)
    world.clock.advance(60)


@before("rate_limit_hit_events")
def polls_are_used_up(world: World, exchange: Exchange) -> None:
    assert [world.send(exchange)[0] for _ in range(200)] == [400] * 200


# Zulip 10


CHOICES = {
    "widget_type": "zform",
    "extra_data": {
        "type": "choices",
        "heading": "Which John?",
        "choices": [
            {"type": "multiple_choice", "short_name": "1", "long_name": "John Doe", "reply": "1"},
            {"type": "multiple_choice", "short_name": "2", "long_name": "John King", "reply": "2"},
        ],
    },
}


@before("10/edit_widget_message", "10/get_message_with_widget")
def bot_has_offered_choices(world: World10, exchange: Exchange) -> None:
    text = "Which John?\n1. John Doe\n2. John King"
    world.say(1481, world.bot, world.maria, text, client="Python-urllib", widget=json.dumps(CHOICES))
