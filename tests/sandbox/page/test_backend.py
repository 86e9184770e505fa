"""What the page is told of what students and people do."""

from __future__ import annotations

from contextlib import closing
from typing import TYPE_CHECKING

from tests.worlds.demo_page_world import Feed, post

if TYPE_CHECKING:
    from lms_bot.sandbox.page.server import PageServer


def test_an_act_is_followed_from_the_row_to_each_message(page: PageServer) -> None:
    with closing(Feed(page, "chen.wei")) as feed:
        act = post(page, "/act", student="zoe_m", verb="fail", what="physics-midterm")["act"]
        path = feed.wait_for("path", f'"id": {act},', '"is_done": true')
    assert path["row"].startswith("attempts ") and path["event"]["id"] > 0
    assert sorted(one["to"] for one in path["messages"]) == ["María Santos", "陈伟"]
    assert 0 <= path["event"]["ms"] <= path["total_ms"]


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
