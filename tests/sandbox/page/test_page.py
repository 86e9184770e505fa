"""The demo's page, with all real behind it: what it lets in and keeps out, what it tells; how it begins and ends."""

from __future__ import annotations

import io
import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
from contextlib import closing
from dataclasses import replace
from typing import TYPE_CHECKING, Any
from urllib.request import Request, urlopen

import pytest

from lms_bot.sandbox.demo import run_page, show_in_browser
from lms_bot.sandbox.page.path import Act, look
from lms_bot.sandbox.page.path import count as count_all
from lms_bot.sandbox.page.server import STATIC, PageServer
from tests.places import REPOSITORY
from tests.worlds.demo_page_world import Feed, ask, open_demo_page, post  # noqa: F401  (a fixture)
from tests.worlds.running_bot import wait_until

if TYPE_CHECKING:
    from pathlib import Path

    from lms_bot.sandbox.zulip import SandboxMessage

# ---- who is let in ----


def test_every_answer_carries_a_strict_policy(page: PageServer) -> None:
    no_file = "/files/maria.santos/user_uploads/1/a.png"
    paths = ("/", "/page.js", "/base.css", "/icon.svg", "/school", "/nothing", no_file)
    for method, path in (*(("GET", path) for path in paths), ("PUT", "/"), ("OPTIONS", "/act")):
        _, headers, _ = ask(page, method, path)
        assert headers["Content-Security-Policy"] == (
            "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self';"
            " base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
        )
        assert headers["X-Content-Type-Options"] == "nosniff"
        assert headers["Referrer-Policy"] == "no-referrer"


def test_the_page_holds_no_script_or_style_of_its_own_and_nothing_from_elsewhere() -> None:
    html = (STATIC / "index.html").read_text(encoding="utf-8")
    assert re.findall(r"<script(?! type=\"module\" src=\"/)|<style|\sstyle=|\son\w+=", html) == []
    for file in STATIC.iterdir():
        addresses = re.findall(r"https?://[^\s\"')]+", file.read_text(encoding="utf-8"))
        assert set(addresses) <= {"http://www.w3.org/2000/svg"}, file.name


def test_it_listens_on_this_machine_only(page: PageServer) -> None:
    assert page.server_address[0] == "127.0.0.1"
    assert page.url == f"http://127.0.0.1:{page.port}/"


@pytest.mark.parametrize("method", ["GET", "POST"])
@pytest.mark.parametrize(
    "foreign",
    [{"Host": "evil.example"}, {"Host": "127.0.0.1"}, {"Origin": "http://evil.example"}, {"Origin": "null"}],
)
def test_another_name_for_this_machine_and_another_site_are_refused(
    page: PageServer, method: str, foreign: dict[str, str]
) -> None:
    status, _, body = ask(page, method, "/school" if method == "GET" else "/typing", {}, **foreign)
    assert status == 403 and b"maria" not in body


def test_localhost_is_a_name_of_it(page: PageServer) -> None:
    assert ask(page, "GET", "/", Host=f"localhost:{page.port}")[0] == 200


@pytest.mark.parametrize("token", [None, "", "guessed", "gu\xe9ssed"])
def test_nothing_is_done_without_the_token_of_this_run(page: PageServer, token: str | None) -> None:
    wish = {"student": "john_doe", "verb": "pass", "what": "math-final"}
    assert ask(page, "POST", "/act", wish, X_Demo_Token=token)[0] == 403
    assert page.token in ask(page, "GET", "/")[2].decode()


@pytest.mark.parametrize(
    "path", ["/nothing", "/../server.py", "/%2e%2e/environment.py", "/feed?person=nobody", "/files/x"]
)
def test_what_is_not_there_is_not_found(page: PageServer, path: str) -> None:
    assert ask(page, "GET", path)[0] == 404


def test_a_deed_that_is_not_there_is_not_found(page: PageServer) -> None:
    assert ask(page, "POST", "/nothing", {})[0] == 404


@pytest.mark.parametrize(
    ("path", "wish", "status"),
    [
        ("/act", {"student": "john_doe", "verb": "expel", "what": "math-final"}, 409),
        ("/act", {"student": "nobody", "verb": "pass", "what": "math-final"}, 409),
        ("/act", {}, 400),
        ("/act", [], 400),
        ("/say", {"person": "nobody", "content": "help"}, 409),
        ("/say", {"person": "maria.santos", "content": " "}, 400),
        ("/say", {"person": "maria.santos", "content": "x" * 200_000}, 400),
        ("/trouble", {"kind": "flood", "is_on": True}, 409),
    ],
)
def test_what_cannot_be_done_is_refused_in_words(page: PageServer, path: str, wish: object, status: int) -> None:
    answered, _, body = ask(page, "POST", path, wish)
    assert answered == status and json.loads(body)["error"]


def test_a_taken_port_is_answered_with_the_next_free_one(page: PageServer) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    other = PageServer(page.backend, [page.port, port])
    other.start().close()
    assert other.port == port
    with pytest.raises(OSError, match="no port is free"):
        PageServer(page.backend, [page.port])


def test_a_file_is_served_to_who_may_see_it_in_zulip(page: PageServer) -> None:
    zulip, bot = page.backend.environment.zulip, page.backend.environment.account
    path = zulip.upload(bot, "chart.png", b"\x89PNG")
    zulip.send(bot, page.backend.get_client("chen.wei").person, f"[chart.png]({path})")
    status, headers, body = ask(page, "GET", f"/files/chen.wei{path}")
    assert (status, headers["Content-Type"], body) == (200, "image/png", b"\x89PNG")
    assert "sandbox" in headers["Content-Security-Policy"]
    assert ask(page, "GET", f"/files/arjun.nair{path}")[0] == 404


# ---- what is told ----


def test_an_act_is_followed_from_the_row_to_each_message(page: PageServer) -> None:
    with closing(Feed(page, "chen.wei")) as feed:
        act = post(page, "/act", student="zoe_m", verb="fail", what="physics-midterm")["act"]
        path = feed.wait_for("path", f'"id": {act},', '"is_done": true')
    assert path["row"].startswith("attempts ") and path["event"]["id"] > 0
    assert sorted(one["to"] for one in path["messages"]) == ["María Santos", "陈伟"]
    assert 0 <= path["event"]["ms"] <= path["total_ms"] < 5_000


def test_messages_come_as_zulip_renders_them_with_reactions_and_edits(page: PageServer) -> None:
    with closing(Feed(page, "arjun.nair")) as feed:
        feed.wait_for("conversation")
        post(page, "/say", person="arjun.nair", content="histroy *olena_k*")
        said = feed.wait_for("message", "histroy")
        assert said["html"] == "<p>histroy <em>olena_k</em></p>" and said["is_own"]
        answer = feed.wait_for("message", '"is_own": false')
        post(page, "/react", person="arjun.nair", message=answer["id"], emoji="check", is_on=True)
        assert feed.wait_for("message", "2705")["reactions"][0]["who"] == "Arjun Nair"
        post(page, "/react", person="arjun.nair", message=answer["id"], emoji="check", is_on=False)
        assert feed.wait_for("message", '"reactions": []')["id"] == answer["id"]
        assert post(page, "/source", person="arjun.nair", message=said["id"]) == {"content": "histroy *olena_k*"}
        post(page, "/edit", person="arjun.nair", message=said["id"], content="help")
        assert feed.wait_for("message", '"is_edited": true')["html"] == "<p>help</p>"


def test_who_types_is_told(page: PageServer) -> None:
    environment, maria = page.backend.environment, page.backend.get_client("maria.santos").person
    with closing(Feed(page, "maria.santos")) as feed:
        feed.wait_for("conversation")
        environment.zulip.realm.show_typing(environment.account, [maria], "start")
        assert feed.wait_for("typing") is True
        environment.zulip.realm.show_typing(environment.account, [maria], "stop")
        assert feed.wait_for("typing") is False
    post(page, "/typing", person="maria.santos", is_on=True)
    typed = environment.zulip.wait_for_request(
        lambda one: one.path == "/api/v1/typing" and one.user_id == maria.user_id
    )
    assert typed.status == 200


@pytest.mark.parametrize("kind", ["zulip", "lms", "answers"])
def test_nothing_is_lost_or_doubled_by_trouble(page: PageServer, kind: str) -> None:
    with closing(Feed(page, "chen.wei")) as feed:
        post(page, "/trouble", kind=kind, is_on=True)
        assert feed.wait_for("trouble", f'"{kind}": true')
        wish = {"student": "tunde_a", "verb": "pass", "what": "math-final"}
        status, _, body = ask(page, "POST", "/act", wish)
        assert (status == 409) == (kind == "lms"), body
        if kind == "zulip":
            assert ask(page, "POST", "/say", {"person": "chen.wei", "content": "help"})[0] == 503
            assert feed.wait_for("away", "true")
        post(page, "/trouble", kind=kind, is_on=False)
        act = json.loads(body)["act"] if status == 200 else post(page, "/act", **wish)["act"]
        feed.wait_for("path", f'"id": {act},', '"is_done": true')
        counts = feed.wait_for("counts", '"waiting": 0')
    assert (counts["lost"], counts["doubled"]) == (0, 0)


def test_a_bot_that_finds_no_zulip_is_started_until_it_does(page: PageServer) -> None:
    bot = page.backend.environment.bot
    with closing(Feed(page, "chen.wei")) as feed:
        for kind, is_on in (("bot", True), ("zulip", True), ("bot", False)):
            post(page, "/trouble", kind=kind, is_on=is_on)
        feed.wait_for("trouble", '"bot": "starting"')
        wait_until(lambda: "cannot connect to server" in bot.last_output(), "it ends")
        post(page, "/trouble", kind="zulip", is_on=False)
        feed.wait_for("trouble", '"bot": "here"')


def test_a_start_that_was_over_before_the_bot_looked_is_not_lost(page: PageServer) -> None:
    exam = {"student": "olena_k", "what": "web-checkpoint"}
    with closing(Feed(page, "arjun.nair")) as feed:
        post(page, "/trouble", kind="bot", is_on=True)
        act = post(page, "/act", verb="start", **exam)["act"]
        post(page, "/act", verb="pass", **exam)
        post(page, "/trouble", kind="bot", is_on=False)
        path = feed.wait_for("path", f'"id": {act},', '"is_done": true')
        counts = feed.wait_for("counts", '"waiting": 0')
    assert path["is_overtaken"] and path["event"] is None
    assert (counts["lost"], counts["doubled"]) == (0, 0)


def test_what_zulip_lacks_or_has_twice_is_counted(page: PageServer) -> None:
    backend = page.backend
    with closing(Feed(page, "maria.santos")) as feed:
        act = post(page, "/act", student="jane_smith", verb="fail", what="physics-midterm")["act"]
        feed.wait_for("path", f'"id": {act},', '"is_done": true')

    def count(messages: list[SandboxMessage]) -> dict[str, Any]:
        paths, arrivals = look(backend.acts, backend.environment.bot.stored, lambda: messages)
        return count_all(paths, arrivals, 1, backend.began_at, backend.environment.bot.stored)

    messages = backend.environment.zulip.messages(sender=backend.environment.account)
    (told,) = [one for one in messages if "Physics" in one.content and "jane_smith" in one.content]
    assert (count(messages)["lost"], count(messages)["doubled"]) == (0, 0)
    assert count([one for one in messages if one is not told])["lost"] == 1
    assert count([*messages, told])["doubled"] == 1


def test_an_event_that_does_not_come_is_lost_only_when_the_lms_was_polled_since(page: PageServer) -> None:
    never = Act(1, "john_doe", "pass", "Chess", "attempts", 10**6, "exam_passed", time.time(), mentors=1)
    for seconds_ago, lost in ((0, 0), (60, 1)):
        act = replace(never, written_at=never.written_at - seconds_ago)
        paths, arrivals = look([act], page.backend.environment.bot.stored, list)
        assert count_all(paths, arrivals, 1, time.time(), page.backend.environment.bot.stored)["lost"] == lost


# ---- beginning and ending ----


def test_ctrl_c_ends_it_also_in_the_middle_of_trouble_and_nothing_is_left(page: PageServer, tmp_path: Path) -> None:
    folder = tmp_path / "t"
    folder.mkdir(mode=0o755)
    tmp_path.chmod(0o755)
    environment = {**os.environ, "PYTHONPATH": str(REPOSITORY), "TMPDIR": str(folder), "PYTHONUNBUFFERED": "1"}
    environment.pop("DISPLAY", None)
    with subprocess.Popen(
        [sys.executable, "-m", "lms_bot", "demo", "--port", str(page.port)],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        encoding="utf-8",
        env=environment,
    ) as demo:
        assert demo.stdout is not None
        address = next(line.split()[-1] for line in demo.stdout if line.startswith("The page: "))
        assert address != page.url  # whose port is taken
        with urlopen(address, timeout=5) as answer:
            token = re.findall(r'name="token" content="([^"]+)"', answer.read().decode())[0]
        for kind in ("zulip", "lms", "bot"):
            wish = json.dumps({"kind": kind, "is_on": True}).encode()
            urlopen(Request(f"{address}trouble", wish, {"X-Demo-Token": token}), timeout=15).close()
        demo.send_signal(signal.SIGINT)
        assert "Traceback" not in demo.stdout.read()
    assert demo.returncode == 0
    assert list(folder.iterdir()) == []


@pytest.mark.parametrize(("display", "shown"), [(":0", ["http://127.0.0.1:1/"]), (None, [])])
def test_the_browser_is_opened_where_there_is_a_display(
    monkeypatch: pytest.MonkeyPatch, display: str | None, shown: list[str]
) -> None:
    opened: list[str] = []
    monkeypatch.setattr("webbrowser.open", opened.append)
    monkeypatch.setattr("sys.platform", "linux")
    monkeypatch.delenv("WAYLAND_DISPLAY", raising=False)
    monkeypatch.setenv("DISPLAY", display) if display else monkeypatch.delenv("DISPLAY", raising=False)
    show_in_browser("http://127.0.0.1:1/")
    assert opened == shown


def test_a_bot_that_does_not_come_up_ends_it_with_its_last_words(tmp_path: Path) -> None:
    bot = tmp_path / "dying.py"
    bot.write_text("raise SystemExit('my last words')")
    out = io.StringIO()
    assert run_page(out, bot=str(bot)) == 1
    assert "    my last words\n" in out.getvalue()
