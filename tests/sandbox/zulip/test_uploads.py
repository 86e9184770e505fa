"""Uploaded files: who reads them, under what name and as what."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

import pytest
import requests

from lms_bot.sandbox.zulip.uploads import clean_file_name
from tests.worlds.zulip_clients import PATIENCE_SECONDS, client_of

if TYPE_CHECKING:
    from zulip import Client

    from lms_bot.sandbox.zulip import SandboxPerson, SandboxZulip


def test_an_uploaded_file_is_read_by_its_owner_and_whoever_was_sent_a_link(
    zulip: SandboxZulip, bot: SandboxPerson, anna: SandboxPerson, client: Client
) -> None:
    file = io.BytesIO(b"\x89PNG\r\n--\r\n")
    file.name = "chart of march.png"
    path = client.upload_file(file)["uri"]
    assert path.endswith("/chart-of-march.png")

    def fetch(person: SandboxPerson) -> requests.Response:
        return requests.get(zulip.site + path, auth=(person.delivery_email, person.api_key), timeout=PATIENCE_SECONDS)

    assert fetch(bot).content == b"\x89PNG\r\n--\r\n"
    assert fetch(bot).headers["Content-Type"] == "image/png"
    assert fetch(anna).status_code == 403
    zulip.send(bot, anna, f"[chart]({path})")
    assert fetch(anna).status_code == 200
    url = client_of(zulip, anna).call_endpoint(url=path[1:], method="GET")["url"]
    assert requests.get(zulip.site + url, timeout=PATIENCE_SECONDS).content == b"\x89PNG\r\n--\r\n"


@pytest.mark.parametrize(
    ("name", "content_type", "is_shown"),
    [
        ("chart.PNG", "image/png", True),
        ("events.csv", "text/csv", False),
        ("notes.txt", "text/plain", False),
        ("page.html", "application/octet-stream", False),
        ("image.svg", "application/octet-stream", False),
    ],
)
def test_what_a_browser_could_run_comes_as_a_download(
    zulip: SandboxZulip, bot: SandboxPerson, name: str, content_type: str, is_shown: bool
) -> None:
    path = zulip.upload(bot, name, b"x")
    upload = zulip.read_upload(path)
    assert upload is not None and (upload.content, upload.name) == (b"x", name)
    answer = requests.get(zulip.site + path, auth=(bot.delivery_email, bot.api_key), timeout=PATIENCE_SECONDS)
    assert answer.headers["Content-Type"] == upload.content_type == content_type
    assert answer.headers["Content-Disposition"].startswith("inline" if is_shown else "attachment")
    assert zulip.read_upload(f"{path}x") is None


@pytest.mark.parametrize(
    ("name", "cleaned"),
    [("a b (1).txt", "a-b-1.txt"), ("../../etc/passwd", "....etcpasswd"), ("//", "uploaded-file")],
)
def test_names_of_files_are_safe_in_a_path(name: str, cleaned: str) -> None:
    assert clean_file_name(name) == cleaned
