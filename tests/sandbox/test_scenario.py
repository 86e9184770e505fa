"""The script of the demo."""

from __future__ import annotations

from lms_bot.sandbox.demo import SCRIPT
from lms_bot.sandbox.lms.sample import MENTORS, SUPERVISOR
from lms_bot.sandbox.scenario import Scenario


def test_the_script_names_verbs_and_people_that_are_there() -> None:
    askers = {person.username for person in (*MENTORS, SUPERVISOR)}
    for verb, who, *_ in SCRIPT:
        assert callable(getattr(Scenario, verb))
        assert verb != "ask" or who in askers
