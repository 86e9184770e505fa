"""An admin who looks at a student who is not theirs is written down."""

from __future__ import annotations

from tests.worlds.chat_world import ADMIN, BOTH, JOHN, ZOE, World, add_exam, get_audited, lines_of


def test_an_admin_asks_about_everybody_and_that_is_written_down(world: World) -> None:
    add_exam(world, ZOE, "Algebra", 80)
    add_exam(world, JOHN, "Algebra", 20)

    assert lines_of(world, "students all", ADMIN)[0] == ("👥 **All 4 students** · 1 failed their last exam, 2 silent")
    assert lines_of(world, "exam algebra", ADMIN)[0].startswith("📝 **Algebra** · 2 students: 1 failed, 1 passed")
    assert "Zoë Müller" in world.ask("summary all", ADMIN).text
    assert lines_of(world, "find zoe", ADMIN)[-1] == "- 👤 Zoë Müller (zoe_m): `student zoe_m`"
    assert world.ask("student zoe", ADMIN).text.startswith("🎓 **Zoë Müller (zoe_m)**")
    assert world.ask("compare zoe john", ADMIN).text.startswith("⚖️ **Zoë Müller** has the higher")
    assert world.ask("history john", ADMIN).text.startswith("**John Doe")
    assert world.ask("stats all", ADMIN).text.count("By type** · 2 events") == 1
    assert get_audited(world) == [
        (None, "students all"),
        (None, "exam"),
        (None, "summary all"),
        (None, "find"),
        (ZOE.student_id, "student"),
        (ZOE.student_id, "compare"),
        (JOHN.student_id, "compare"),
        (JOHN.student_id, "history"),
    ]


def test_what_is_ones_own_is_no_look(small_world: World) -> None:
    add_exam(small_world, ZOE, "Algebra", 80)
    for said in ("students", "summary", "student zoe", "history zoe", "find zoe"):
        assert "Zo" in small_world.ask(said, BOTH).text
    assert get_audited(small_world) == []
