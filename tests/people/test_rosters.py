"""Whose students are whose: supervisors, what is remembered and when it is dropped, and an LMS that is away."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lms_bot.app import App, build_app
from lms_bot.core.clock import utc_now
from lms_bot.core.errors import LMSUnavailable
from lms_bot.lms.connection import LMSConnection
from lms_bot.lms.people import Mentor, PeopleReader
from lms_bot.lms.standard import PEOPLE
from lms_bot.people.rosters import KNOWN_SERVE, Rosters, find_below
from lms_bot.settings.settings import load_settings
from lms_bot.store.models import KeyValue, KnownStudents
from tests.worlds.watching import run

if TYPE_CHECKING:
    from lms_bot.sandbox.lms.school import School

SUPERVISORS = {"chief": None, "carla": None, "head": "chief", "anna": "head", "bob": "head"}


@pytest.fixture
def app(lms: School, tmp_path: Path) -> Iterator[App]:
    """chief -> head -> anna, bob; each has students. carla is nobody's."""
    for username, supervisor in SUPERVISORS.items():
        lms.add_mentor(username, supervisor=supervisor)
    for username, mentors in (
        ("al", ["anna"]), ("ali", ["anna", "bob"]), ("bo", ["bob"]), ("ha", ["head", "bob"]), ("cy", ["carla"]),
    ):  # fmt: skip
        lms.add_student(username, mentors=mentors)
    section = {"lms_db_url": lms.url, "lms_bot_store": f"sqlite:///{tmp_path / 'store.db'}"}
    app = build_app(load_settings(section, environ={}, dotenv=None))
    yield app
    app.source.connection.close()
    app.store.close_thread()


@pytest.fixture
def rosters(app: App) -> Rosters:
    return Rosters(app.reader, app.store)


def mentor(rosters: Rosters, username: str) -> Mentor:
    return next(one for one in rosters.get_mentors() if one.username == username)


def names(rosters: Rosters, *mentors: str) -> list[str]:
    roster = rosters.get_roster([mentor(rosters, one) for one in mentors])
    return [one.username for one in roster.students.values()]


AWAY = PeopleReader(LMSConnection("host=127.0.0.1 port=1 dbname=nowhere"), PEOPLE)


def while_away(app: App) -> Rosters:
    """As another process makes them while the LMS is away."""
    return Rosters(AWAY, app.store)


def test_a_supervisor_has_the_students_of_all_mentors_below(rosters: Rosters) -> None:
    assert set(names(rosters, "chief")) == {"ha", "al", "ali", "bo"}
    assert names(rosters, "head")[0] == "ha", "their own come first"
    assert set(names(rosters, "anna")) == {"al", "ali"}
    assert names(rosters, "carla") == ["cy"]
    assert set(names(rosters, "anna", "carla")) == {"al", "ali", "cy"}


def test_a_roster_tells_those_below_from_ones_own(rosters: Rosters) -> None:
    roster = rosters.get_roster([mentor(rosters, "head")])
    assert {roster.students[one].username for one in roster.below} == {"al", "ali", "bo"}
    assert not rosters.get_roster([mentor(rosters, "bob")]).below


def test_only_a_students_own_mentors_are_told_of(app: App, rosters: Rosters) -> None:
    ali = next(one for one in app.reader.fetch_all_students() if one.username == "ali")
    assert [one.username for one in rosters.get_student_and_mentors(ali.student_id).mentors] == ["anna", "bob"]


def test_supervisors_that_go_round_in_circles_do_not_hang(lms: School, rosters: Rosters) -> None:
    bob = mentor(rosters, "bob").key
    run(lms, "UPDATE mentors SET supervisor_id = %s WHERE username = 'chief'", bob)
    rosters.forget()
    run(lms, "UPDATE mentors SET supervisor_id = id WHERE username = 'carla'")
    assert set(names(rosters, "bob")) == {"ha", "al", "ali", "bo"}
    assert names(rosters, "carla") == ["cy"]


@settings(max_examples=50)
@given(st.lists(st.one_of(st.none(), st.integers(0, 9)), max_size=10), st.integers(0, 9))
def test_below_is_whoever_reaches_them_by_supervisors(supervisors: list[int | None], asker: int) -> None:
    mentors = [Mentor(key, None, f"m{key}", None, None, above) for key, above in enumerate(supervisors)]

    def reaches(key: int) -> bool:
        chain = [key]
        while (above := supervisors[chain[-1]]) is not None and above not in chain:
            chain.append(above)
            if above >= len(supervisors):
                break
        return asker in chain[1:] and key != asker

    assert set(find_below([asker], mentors)) == {one.key for one in mentors if reaches(one.key)}


def test_many_mentors_cost_one_select(
    lms: School, app: App, rosters: Rosters, monkeypatch: pytest.MonkeyPatch
) -> None:
    selects = count_selects(app, monkeypatch)
    names(rosters, "chief")
    assert len(selects) == 2, "the mentors, and the students of four of them"
    names(rosters, "chief"), names(rosters, "anna")
    assert len(selects) == 2, "which are remembered"
    rosters.forget(mentor_id=mentor(rosters, "bob").mentor_id)
    names(rosters, "chief")
    assert len(selects) == 4


def count_selects(app: App, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    selects: list[str] = []
    fetch = PeopleReader._fetch

    def counting(reader: PeopleReader, sql: str, **parameters: Any) -> Any:
        selects.append(sql)
        return fetch(reader, sql, **parameters)

    monkeypatch.setattr(PeopleReader, "_fetch", counting)
    return selects


def test_a_roster_is_dropped_when_a_fresh_read_shows_that_a_student_left(
    lms: School, app: App, rosters: Rosters
) -> None:
    assert "ali" in names(rosters, "anna") and "ali" in names(rosters, "chief")
    ali = next(one for one in app.reader.fetch_all_students() if one.username == "ali").student_id
    lms.unpair("anna", "ali")
    lms.unpair("bob", "ali")
    assert "ali" in names(rosters, "anna"), "remembered"
    rosters.prefetch([ali])
    assert names(rosters, "anna") == ["al"] and "ali" not in names(rosters, "chief")


def test_a_roster_is_dropped_when_a_fresh_read_shows_that_a_student_came(
    lms: School, app: App, rosters: Rosters
) -> None:
    assert names(rosters, "carla") == ["cy"]
    students = {one.username: one.student_id for one in app.reader.fetch_all_students()}
    lms.pair("carla", "al")
    rosters.prefetch([students["bo"]])
    assert names(rosters, "carla") == ["cy"], "what was read says nothing of it"
    rosters.prefetch([students["al"]])
    assert set(names(rosters, "carla")) == {"cy", "al"}


def test_who_is_told_is_dropped_when_a_fresh_roster_says_otherwise(lms: School, app: App, rosters: Rosters) -> None:
    al = next(one for one in app.reader.fetch_all_students() if one.username == "al").student_id
    assert [one.username for one in rosters.get_student_and_mentors(al).mentors] == ["anna"]
    lms.pair("carla", "al")
    lms.unpair("anna", "al")
    assert [one.username for one in rosters.get_student_and_mentors(al).mentors] == ["anna"], "remembered"
    names(rosters, "anna")
    assert [one.username for one in rosters.get_student_and_mentors(al).mentors] == ["carla"]


def test_the_mentors_are_asked_for_again_when_a_fresh_read_shows_another_one(
    lms: School, app: App, rosters: Rosters
) -> None:
    assert mentor(rosters, "anna").email == "anna@school.example.com"
    run(lms, "UPDATE mentors SET email = 'anna@elsewhere.example.com', supervisor_id = NULL WHERE username = 'anna'")
    assert "al" in names(rosters, "chief"), "remembered"
    al = next(one for one in app.reader.fetch_all_students() if one.username == "al").student_id
    rosters.prefetch([al])
    assert mentor(rosters, "anna").email == "anna@elsewhere.example.com"
    assert "al" not in names(rosters, "chief")


def test_while_the_lms_is_away_the_last_known_serve_for_a_day(app: App, rosters: Rosters) -> None:
    everybody = names(rosters, "chief")
    later = while_away(app)
    roster = later.get_roster([mentor(later, "chief")])
    assert [one.username for one in roster.students.values()] == everybody
    assert roster.is_stale and roster.as_of is not None and utc_now() - roster.as_of < timedelta(minutes=1)
    with pytest.raises(LMSUnavailable):
        later.get_roster([mentor(later, "carla")])  # whose students nobody ever asked for
    with app.store.transaction():
        KnownStudents.update(fetched_at=utc_now() - KNOWN_SERVE - timedelta(minutes=1)).execute()
    with pytest.raises(LMSUnavailable):
        while_away(app).get_roster([mentor(later, "chief")])


def test_who_was_seen_to_have_left_is_not_among_the_last_known(lms: School, app: App, rosters: Rosters) -> None:
    assert set(names(rosters, "anna")) == {"al", "ali"} and set(names(rosters, "bob")) == {"ali", "bo", "ha"}
    ali = next(one for one in app.reader.fetch_all_students() if one.username == "ali").student_id
    lms.unpair("anna", "ali")
    Rosters(app.reader, app.store).prefetch([ali])  # of another process, it may be
    assert names(while_away(app), "anna") == ["al"]
    assert set(names(while_away(app), "bob")) == {"ali", "bo", "ha"}


def test_who_came_below_and_was_never_asked_for_does_not_hide_the_others(app: App, rosters: Rosters) -> None:
    names(rosters, "chief")
    with app.store.transaction():
        KnownStudents.delete().where(KnownStudents.mentor_key == mentor(rosters, "bob").key).execute()
    assert set(names(while_away(app), "chief")) == {"al", "ali", "ha"}


def test_mentors_kept_by_an_older_version_have_no_supervisor(app: App, rosters: Rosters) -> None:
    rosters.get_mentors()
    with app.store.transaction():
        kept = KeyValue.find("mentors")
        KeyValue.put("mentors", [{name: one[name] for name in one if name != "supervisor_key"} for one in kept])
    assert [one.supervisor_key for one in while_away(app).get_mentors()] == [None] * 5
