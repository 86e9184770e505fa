"""The benchmarks run and say what they should; how fast this machine is does not matter here."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

import pytest

from lms_bot.chat.commands.table import COMMANDS
from tests.places import REPOSITORY

NAMES = ["ingest", "idle_poll", "sweep", "memory", "answers", "concerns"]


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
        if report["benchmark"] != "sweep":  # which is about the LMS alone
            assert list(report["figures"]) == ["sqlite", "postgresql"]


def test_each_is_held_to_targets(reports: list[dict[str, Any]]) -> None:
    for report in reports:
        assert report["targets"]
        for target in report["targets"]:
            assert target["figure"] > 0
            assert isinstance(target["is_met"], bool)


def figures_of(found: dict[str, Any]) -> dict[str, Any]:
    """The measured figures by key, whatever they are grouped under."""
    figures: dict[str, Any] = {}
    for key, value in found.items():
        if isinstance(value, dict) and "median" not in value:
            figures |= figures_of(value)
        else:
            figures[key] = value
    return figures


def test_figures_name_their_unit(reports: list[dict[str, Any]]) -> None:
    units = ("_per_second", "_milliseconds", "_megabytes", "_per_million_rows", "_ratio", "polls_to_complete")
    for report in reports:
        for key, figure in figures_of(report["figures"]).items():
            assert key.endswith(units), key
            assert min(figure.values() if isinstance(figure, dict) else [figure]) > 0


def test_every_command_is_asked_but_those_that_change_something(reports: list[dict[str, Any]]) -> None:
    report = reports[NAMES.index("answers")]
    left_out = set(report["sizes"]["commands_left_out"])
    asked = {key.rsplit("_", 2)[0] for key in report["figures"]["sqlite"]}
    names = {command.name for command in COMMANDS}

    assert left_out <= names
    assert {name.replace(" ", "_") for name in names - left_out} <= asked


def test_one_benchmark_and_one_store_can_be_chosen() -> None:
    ended = run_benchmarks("memory", "--smoke", "--store", "sqlite")
    (line,) = ended.stdout.splitlines()
    assert list(json.loads(line)["figures"]) == ["sqlite"]


def test_an_unknown_name_is_answered_with_the_known_ones() -> None:
    ended = run_benchmarks("speed")
    assert ended.returncode == 2
    assert "speed" in ended.stderr
    assert "idle_poll" in ended.stderr
