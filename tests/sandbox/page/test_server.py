"""The page's server: who is let in, and what is kept out."""

from __future__ import annotations

import json
import re
import socket

import pytest

from lms_bot.sandbox.page.server import STATIC, PageServer
from tests.worlds.demo_page_world import ask


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
