"""The benchmarks run and say what they should; how fast this machine is does not matter here."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

import pytest

from benchmarks.measuring import Report, at_most
from lms_bot.chat.commands.table import COMMANDS
from tests.places import REPOSITORY

NAMES = ["answers"]
"""The gate runs all of them, tiny, and each refuses to print what is not well formed."""


def run_benchmarks(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "benchmarks", *arguments]
    return subprocess.run(command, check=False, cwd=REPOSITORY, capture_output=True, text=True)


@pytest.fixture(scope="module")
def reports() -> list[dict[str, Any]]:
    ended = run_benchmarks(*NAMES, "--smoke")
    assert ended.returncode == 0, ended.stderr
    return [json.loads(line) for line in ended.stdout.splitlines()]


def test_each_prints_one_json_line(reports: list[dict[str, Any]]) -> None:
    assert [report["benchmark"] for report in reports] == NAMES
    for report in reports:
        assert list(report) == ["benchmark", "sizes", "figures", "targets"]


def test_both_stores_are_measured(reports: list[dict[str, Any]]) -> None:
    for report in reports:
        assert list(report["figures"])[:2] == ["sqlite", "postgresql"]


def test_each_is_held_to_targets(reports: list[dict[str, Any]]) -> None:
    for report in reports:
        assert report["targets"]
        for target in report["targets"]:
            assert target["figure"] > 0
            assert isinstance(target["is_met"], bool)


def test_a_figure_without_a_unit_and_a_report_without_a_claim_are_refused() -> None:
    claims = [at_most("it", 1, 2)]
    good = Report("speed", {}, {"sqlite": {"poll_milliseconds": {"median": 1.0}}}, claims)
    assert json.loads(good.to_json())["targets"] == [{"claim": "it: at most 2", "figure": 1.0, "is_met": True}]
    for figures, targets in (({"sqlite": {"poll": 1.0}}, claims), (good.figures, [])):
        with pytest.raises(ValueError, match="speed"):
            Report("speed", {}, figures, targets).to_json()


def test_every_command_is_asked_but_those_that_change_something(reports: list[dict[str, Any]]) -> None:
    report = reports[NAMES.index("answers")]
    left_out = set(report["sizes"]["commands_left_out"])
    asked = {key.rsplit("_", 2)[0] for key in report["figures"]["sqlite"]}
    names = {command.name for command in COMMANDS}

    assert left_out <= names
    assert {name.replace(" ", "_") for name in names - left_out} <= asked


def test_one_benchmark_and_one_store_can_be_chosen() -> None:
    ended = run_benchmarks("concerns", "--smoke", "--store", "sqlite")
    (line,) = ended.stdout.splitlines()
    assert list(json.loads(line)["figures"]) == ["sqlite"]


def test_an_unknown_name_is_answered_with_the_known_ones() -> None:
    ended = run_benchmarks("speed")
    assert ended.returncode == 2
    assert "speed" in ended.stderr
    assert "idle_poll" in ended.stderr
