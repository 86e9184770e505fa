"""Settings: where they come from, which wins, and what is said about mistakes."""

from __future__ import annotations

import os
import re
import sys
from pathlib import Path
from typing import Any

import pytest
from psycopg2.extensions import parse_dsn

from lms_bot.core.activities import ActivityType
from lms_bot.core.errors import ConfigError
from lms_bot.settings.classes import resolve
from lms_bot.settings.documents import EXAMPLE_FILE, TABLE, as_written, example_config, rewrite, settings_markdown
from lms_bot.settings.settings import Settings, UserMapRow, load_settings, load_user_map
from tests.places import REPOSITORY

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

ROOT = REPOSITORY
LMS = {"LMS_DB_NAME": "lms", "LMS_DB_USER": "reader"}
SECRET = "t0p%Secret"


def load(section: dict[str, str] | Path | None = None, dotenv: Path | None = None, **environ: str) -> Settings:
    return load_settings(section, environ=LMS | environ, dotenv=dotenv)


def problems_of(*args: Any, **kwargs: Any) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        load(*args, **kwargs)
    return caught.value.problems


def written(path: Path, text: str) -> Path:
    path.write_text(text, encoding="utf-8")
    return path


@pytest.fixture
def conf(tmp_path: Path) -> Path:
    return tmp_path / "lms_bot.conf"


@pytest.fixture
def dotenv(tmp_path: Path) -> Path:
    return tmp_path / ".env"


# ------------------------------------------------------------------ where settings come from


def test_defaults_are_those_of_the_documentation() -> None:
    settings = load()
    assert (settings.lms_db_host, settings.lms_db_port) == ("localhost", 5432)
    assert settings.lms_activity_monitor_enabled and settings.lms_notify_mentors_enabled
    assert (settings.lms_activity_poll_interval, settings.lms_initial_lookback) == (60, 300)
    assert settings.lms_sweep_budget == 200
    assert settings.lms_event_types_to_monitor == {event_type.value for event_type in ActivityType}
    assert settings.store_url == "sqlite:///lms_bot.db"
    assert settings.lms_admins == frozenset()
    assert settings.user_map_rows == []


def test_the_environment_wins_over_dotenv_over_the_config_file_over_the_default(conf: Path, dotenv: Path) -> None:
    written(conf, "[lms_bot]\nlms_db_host = c\nlms_db_port = 1\nlms_sweep_budget = 1\n")
    written(dotenv, "LMS_DB_HOST=b\nLMS_DB_PORT=2\n")
    settings = load(conf, dotenv, LMS_DB_HOST="a")
    assert settings.lms_db_host == "a"
    assert settings.lms_db_port == 2
    assert settings.lms_sweep_budget == 1
    assert settings.lms_initial_lookback == 300


@pytest.mark.parametrize("blank", ["", "  "])
def test_a_blank_value_counts_as_none_at_all(blank: str, conf: Path, dotenv: Path) -> None:
    written(conf, "[lms_bot]\nlms_db_port = 1\nlms_sweep_budget =\n")
    written(dotenv, f"LMS_DB_PORT={blank}\n")
    settings = load(conf, dotenv, LMS_DB_PORT=blank)
    assert (settings.lms_db_port, settings.lms_sweep_budget) == (1, 200)


def test_the_section_may_be_given_as_a_mapping() -> None:
    assert load({"lms_db_port": "6000"}).lms_db_port == 6000


def test_names_are_read_in_either_case(conf: Path, dotenv: Path) -> None:
    written(conf, "[lms_bot]\nLMS_DB_HOST = c\n")
    written(dotenv, "lms_db_port=2\n")
    settings = load(conf, dotenv, lms_sweep_budget="3")
    assert (settings.lms_db_host, settings.lms_db_port, settings.lms_sweep_budget) == ("c", 2, 3)


def test_spaces_around_a_value_are_not_part_of_it_but_in_a_password() -> None:
    settings = load(LMS_DB_HOST=" db ", LMS_NOTIFY_MENTORS_ENABLED=" false ", LMS_DB_PASSWORD=" x ")
    assert settings.lms_db_host == "db" and settings.lms_notify_mentors_enabled is False
    assert settings.lms_db_password and settings.lms_db_password.get_secret_value() == " x "


def test_nothing_is_read_from_this_process_s_environment_unasked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LMS_DB_PORT", "7")
    assert load().lms_db_port == 5432
    assert Settings().lms_db_port == 5432
    assert load_settings(LMS, dotenv=None).lms_db_port == 7


def test_a_dotenv_that_is_a_folder_or_absent_is_no_mistake(tmp_path: Path) -> None:
    assert load(dotenv=tmp_path) == load(dotenv=tmp_path / "absent") == load()


def test_other_programs_settings_in_environment_and_dotenv_are_left_alone(dotenv: Path) -> None:
    written(dotenv, "LMS_COLOUR=blue\nDJANGO=1\nsome words of another program's format\n")
    load(dotenv=dotenv, LMS_THEME="dark")


PASSWORDS = ["100%", "%(x)s", "${HOME}", "a'b\"c\\d", "p@ss/w:rd#1", "ünï"]


@pytest.mark.parametrize("password", PASSWORDS)
def test_any_password_in_the_config_file_arrives_unchanged(password: str, conf: Path) -> None:
    written(conf, f"[lms_bot]\nlms_db_password = {password}\n")
    assert parse_dsn(load(conf).lms_dsn)["password"] == password


@pytest.mark.parametrize("password", ["100%", "%(x)s", "${HOME}", "p@ss/w:rd"])
def test_a_password_in_dotenv_arrives_unchanged(password: str, dotenv: Path) -> None:
    written(dotenv, f"LMS_DB_PASSWORD={password}\n")
    assert parse_dsn(load(dotenv=dotenv).lms_dsn)["password"] == password


def test_a_byte_order_mark_before_a_file_does_not_matter(conf: Path, dotenv: Path) -> None:
    conf.write_text("[lms_bot]\nlms_db_port = 1\n", encoding="utf-8-sig")
    dotenv.write_text("LMS_DB_HOST=b\n", encoding="utf-8-sig")
    settings = load(conf, dotenv)
    assert (settings.lms_db_port, settings.lms_db_host) == (1, "b")


# ------------------------------------------------------------------ the LMS


def test_the_parts_make_the_dsn() -> None:
    settings = load(LMS_DB_PASSWORD="x y", LMS_DB_HOST="db", LMS_DB_PORT="6000")
    assert parse_dsn(settings.lms_dsn) == {
        "dbname": "lms", "user": "reader", "password": "x y", "host": "db", "port": "6000",
    }  # fmt: skip


def test_the_lms_password_may_be_absent() -> None:
    assert "password" not in load().lms_dsn


def test_the_url_wins_over_the_parts() -> None:
    settings = load(LMS_DB_URL="postgres://u:p%40ss@h:1/other?sslmode=require")
    assert parse_dsn(settings.lms_dsn) == {
        "dbname": "other", "user": "u", "password": "p@ss", "host": "h", "port": "1", "sslmode": "require",
    }  # fmt: skip


def test_without_an_lms_the_start_is_refused_with_what_is_missing() -> None:
    with pytest.raises(ConfigError) as caught:
        load_settings({"lms_db_name": "lms"}, environ={}, dotenv=None)
    (problem,) = caught.value.problems
    assert problem.startswith("LMS_DB_USER missing") and "LMS_DB_URL" in problem


@pytest.mark.parametrize("why", [{"require_lms": False}, {"environ": {"LMS_ACTIVITY_MONITOR_ENABLED": "no"}}])
def test_without_an_lms_what_does_not_poll_starts(why: dict[str, Any]) -> None:
    settings = load_settings(**{"environ": {}, "dotenv": None, **why})
    assert not settings.has_lms
    with pytest.raises(ConfigError, match="LMS_DB_NAME and LMS_DB_USER missing"):
        _ = settings.lms_dsn


def test_a_file_that_cannot_be_read_is_the_only_mistake_told_not_what_it_may_hold(tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        load_settings(tmp_path / "absent.conf", environ={}, dotenv=None)
    assert caught.value.problems == [f"{tmp_path / 'absent.conf'} cannot be read: No such file or directory"]


# ------------------------------------------------------------------ values


def test_lists_are_separated_by_commas_and_may_span_lines(conf: Path) -> None:
    written(conf, "[lms_bot]\nlms_event_types_to_monitor = exam_passed,\n  EXAM_FAILED,\n")
    settings = load(conf, LMS_ADMINS=" Head@School.example , 12,")
    assert settings.lms_event_types_to_monitor == {"exam_passed", "exam_failed"}
    assert settings.lms_admins == {"head@school.example", 12}


@pytest.mark.parametrize("url", ["sqlite:///a.db", "sqlite:////var/a.db", "postgresql://u:p@h/db", "postgres:///db"])
def test_each_kind_of_store_is_taken(url: str) -> None:
    assert load(LMS_BOT_STORE=url).store_url == url


TORN_URLS = [f"postgresql://u:{torn}@h/db" for torn in ("t0p@Secret", "t0p/Secret", "t0p%Secret")]
WRONG_VALUES = [
    ("LMS_DB_PORT", "abc", "'abc' is not a whole number from 1 to 65535"),
    ("LMS_DB_PORT", "0", "'0' is not a whole number from 1 to 65535"),
    ("LMS_DB_PORT", "5432.5", "is not a whole number"),
    ("LMS_ACTIVITY_MONITOR_ENABLED", "perhaps", "'perhaps' is not true or false"),
    ("LMS_NOTIFY_MENTORS_ENABLED", "2", "'2' is not true or false"),
    ("LMS_ACTIVITY_POLL_INTERVAL", "0.1", "'0.1' is not a number from 0.2"),
    ("LMS_ACTIVITY_POLL_INTERVAL", "nan", "'nan' is not a number from 0.2"),
    ("LMS_ACTIVITY_POLL_INTERVAL", "inf", "'inf' is not a number from 0.2"),
    ("LMS_INITIAL_LOOKBACK", "-1", "'-1' is not a number from 0"),
    ("LMS_SWEEP_BUDGET", "0", "'0' is not a whole number from 1"),
    (
        "LMS_EVENT_TYPES_TO_MONITOR",
        "exam_pased",
        "'exam_pased' (did you mean exam_passed?); known are exam_star",
    ),
    ("LMS_EVENT_TYPES_TO_MONITOR", ",", "names no event type; known are exam_started"),
    ("LMS_ADMINS", "somebody", "must be e-mail addresses or Zulip user ids"),
    ("LMS_ADMINS", "9" * 5000, "must be e-mail addresses or Zulip user ids"),
    ("LMS_BOT_STORE", "mysql://u:t0p%Secret@h/db", "must be sqlite:///"),
    ("LMS_BOT_STORE", "sqlite://lms_bot.db", "must be sqlite:///"),
    ("LMS_BOT_STORE", "sqlite:///", "must be sqlite:///"),
    ("LMS_BOT_STORE", "sqlite:///:memory:", "must outlive a restart"),
    ("LMS_DB_URL", "dbname=lms password=t0p%Secret", "must be like postgresql://"),
    ("LMS_DB_URL", "mysql://u:t0p%Secret@h/db", "must be like postgresql://"),
    ("LMS_MESSAGE_FORMATTER", "Formatter", "must be the dotted path of a class"),
    ("LMS_USER_MAPPER", "a.b-c", "must be the dotted path of a class"),
    ("LMS_EVENT_HANDLER", "a..B", "must be the dotted path of a class"),
    *(("LMS_DB_URL", url, "percent-encoded") for url in TORN_URLS),
    *(("LMS_BOT_STORE", url, "percent-encoded") for url in TORN_URLS),
    *((name, "\udcff", "is not UTF-8 text") for name in ("LMS_DB_PASSWORD", "LMS_DB_URL", "LMS_DB_HOST")),
]


@pytest.mark.parametrize(("name", "value", "said"), WRONG_VALUES)
def test_a_wrong_value_is_one_line_with_the_setting_its_place_and_what_is_allowed(
    name: str, value: str, said: str
) -> None:
    (problem,) = problems_of(**{name: value})
    assert problem.startswith(f"{name} (environment): ") and said in problem
    assert "\n" not in problem and "t0p" not in problem and "Secret" not in problem


def test_a_mistake_is_told_in_the_spelling_and_place_it_was_made(conf: Path, dotenv: Path) -> None:
    written(conf, "[lms_bot]\nlms_db_port = x\n")
    written(dotenv, "LMS_SWEEP_BUDGET=x\n")
    starts = [problem.partition(":")[0] for problem in problems_of(conf, dotenv, LMS_INITIAL_LOOKBACK="x")]
    assert sorted(starts) == [
        "LMS_INITIAL_LOOKBACK (environment)",
        f"LMS_SWEEP_BUDGET ({dotenv})",
        "lms_db_port (lms_bot.conf)",
    ]


def test_every_mistake_is_told_at_once() -> None:
    section = {"lms_db_prot": "1", "lms_user_map": "/absent.csv", "lms_db_port": "x"}
    environ = {"LMS_ADMINS": "x", "LMS_BOT_STORE": "x", "LMS_DB_USER": ""}
    problems = problems_of(section, **environ)
    words = [
        "lms_db_prot",
        "lms_db_port",
        "LMS_BOT_STORE",
        "LMS_ADMINS",
        "lms_user_map",
        "LMS_DB_USER missing",
    ]
    assert [next(word for word in words if word in problem) for problem in problems] == words


def test_an_unknown_name_in_the_config_file_brings_the_nearest_known(conf: Path) -> None:
    written(conf, f"[lms_bot]\nlms_db_pasword = {SECRET}\nLMS_Colour =\n")
    assert problems_of(conf) == [
        "lms_db_pasword (lms_bot.conf): there is no such setting (did you mean lms_db_password?)",
        "LMS_Colour (lms_bot.conf): there is no such setting",
    ]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "has no [lms_bot] section"),
        ("[other]\nx = 1\n", "has no [lms_bot] section"),
        (f"lms_db_password = {SECRET}\n", "line 1: must be `name = value` below a line [lms_bot]"),
        (f"[lms_bot]\nlms_db_password {SECRET}\n", "line 2: must be `name = value`"),
        (f"[lms_bot]\nlms_db_name = x\nlms_db_name = {SECRET}\n", "line 3: lms_db_name is set a second time"),
        ("[lms_bot]\n[lms_bot]\n", "line 2: [lms_bot] begins a second time"),
    ],
)
def test_a_garbled_config_file_is_told_by_line_without_quoting_it(text: str, said: str, conf: Path) -> None:
    (problem,) = problems_of(written(conf, text))
    assert problem.startswith(str(conf)) and said in problem and SECRET not in problem


def test_a_config_file_that_is_a_folder_or_not_text_is_told_in_plain_words(tmp_path: Path, conf: Path) -> None:
    assert problems_of(tmp_path) == [f"{tmp_path} cannot be read: Is a directory"]
    conf.write_bytes(b"[lms_bot]\nlms_db_name = \xff\n")
    assert problems_of(conf) == [f"{conf} cannot be read: it is not UTF-8 text"]


def test_a_garbled_dotenv_line_of_ours_is_told_without_quoting_it(dotenv: Path) -> None:
    written(dotenv, f"X=1\nLMS_DB_PASSWORD='{SECRET}\n")
    assert problems_of(dotenv=dotenv) == [f"{dotenv} line 2: must be NAME=value"]


def test_settings_show_no_secret() -> None:
    url = f"postgresql://u:{SECRET.replace('%', '%25')}@h/db"
    settings = load(LMS_DB_PASSWORD=SECRET, LMS_DB_URL=url, LMS_BOT_STORE=url)
    assert "t0p" not in f"{settings!r} {settings} {settings.model_dump()} {settings.model_dump_json()}"


# ------------------------------------------------------------------ the user map

HEADER = "lms_kind,lms_username,zulip_user\n"


def test_the_user_map_is_read_at_the_start(tmp_path: Path) -> None:
    text = HEADER + "mentor, anna ,Anna@School.example\n\n Student,john_doe,17\n"
    path = written(tmp_path / "map.csv", "\ufeff" + text)
    expected = [UserMapRow("mentor", "anna", "anna@school.example"), UserMapRow("student", "john_doe", 17)]
    settings = load(LMS_USER_MAP=str(path))
    path.unlink()
    assert settings.user_map_rows == expected


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", ["line 1: must be lms_kind,lms_username,zulip_user"]),
        ("kind,name,zulip\n", ["line 1: must be lms_kind,lms_username,zulip_user"]),
        (HEADER + "tutor,a,1\n", ["line 2: lms_kind must be mentor or student"]),
        (HEADER + "mentor,a\n", ["line 2: must have 3 fields, has 2"]),
        (HEADER + "mentor,,1\n", ["line 2: lms_username is blank"]),
        (HEADER + "mentor,a,bob\n", ["line 2: zulip_user must be a Zulip user id or an e-mail address"]),
        (HEADER + "mentor,a,1\nstudent,a,2\nmentor,a,3\n", ["line 4: the same mentor as in line 2"]),
        (HEADER + "x,a,1\n\nmentor,b,x\n", ["line 2: lms_kind must", "line 4: zulip_user must"]),
        (HEADER + 'mentor,"a,1\n', ["line 2: "]),
    ],
)
def test_a_wrong_user_map_is_told_line_by_line(text: str, said: list[str], tmp_path: Path) -> None:
    path = written(tmp_path / "map.csv", text)
    with pytest.raises(ConfigError) as caught:
        load_user_map(path)
    assert len(caught.value.problems) == len(said)
    for problem, words in zip(caught.value.problems, said, strict=True):
        assert problem.startswith(f"{path} {words}")
    assert problems_of(LMS_USER_MAP=str(path)) == [
        f"LMS_USER_MAP (environment): {problem}" for problem in caught.value.problems
    ]


# ------------------------------------------------------------------ classes named in settings


def test_a_dotted_path_becomes_the_class() -> None:
    assert resolve("collections.OrderedDict", dict, "lms_user_mapper").__name__ == "OrderedDict"


@pytest.mark.parametrize(
    ("dotted", "said"),
    [
        ("no_such_module.Thing", "cannot import: No module named 'no_such_module'"),
        ("collections.NoSuchThing", "module collections has no NoSuchThing"),
        ("collections.deque", "must be a subclass of builtins.dict"),
        ("collections.namedtuple", "must be a subclass of builtins.dict"),
        ("broken_mapper.Mapper", "cannot import: division by zero"),
    ],
)
def test_a_dotted_path_that_leads_nowhere_is_told_in_one_line(
    dotted: str, said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    written(tmp_path / "broken_mapper.py", "1 / 0\n")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(ConfigError) as caught:
        resolve(dotted, dict, "lms_user_mapper")
    (problem,) = caught.value.problems
    assert problem.startswith(f"LMS_USER_MAPPER: {dotted}: ") and said in problem


# ------------------------------------------------------------------ what is written about settings


def test_every_setting_has_a_meaning_and_a_default_or_an_example() -> None:
    for name, field in Settings.model_fields.items():
        assert str(field.description).endswith("."), name
        assert as_written(field.default) or field.examples, name


def test_the_documented_defaults_are_the_defaults() -> None:
    written = {name: as_written(field.default) for name, field in Settings.model_fields.items()}
    assert load({name: default for name, default in written.items() if default}) == load()


def test_the_example_file_is_up_to_date() -> None:
    assert (ROOT / EXAMPLE_FILE).read_text(encoding="utf-8") == example_config(), "run make docs"


def test_the_example_file_works_as_it_is_and_with_every_line_in_use(conf: Path, tmp_path: Path) -> None:
    as_it_is = load_settings(written(conf, example_config()), environ={}, dotenv=None)
    assert as_it_is.has_lms
    written(tmp_path / "user_map.csv", HEADER)
    text = re.sub(r"(?m)^#(?=\w)", "", example_config()).replace("user_map.csv", str(tmp_path / "user_map.csv"))
    in_use = load_settings(written(conf, text), environ={}, dotenv=None)
    assert in_use.model_fields_set == set(Settings.model_fields)


def test_readme_has_the_table_of_settings() -> None:
    readme = ROOT / "README.md"
    if not readme.exists():
        pytest.skip("there is no README.md here")
    assert TABLE.findall(readme.read_text(encoding="utf-8")) == [settings_markdown()], "run make docs"


def test_make_docs_rewrites_the_table_and_the_example_and_nothing_else(tmp_path: Path) -> None:
    readme = written(tmp_path / "README.md", "before\n<!-- settings -->\nold\n<!-- /settings -->\nafter\n")
    rewrite(tmp_path)
    rewrite(tmp_path)
    table = settings_markdown()
    assert readme.read_text(encoding="utf-8") == f"before\n<!-- settings -->\n{table}<!-- /settings -->\nafter\n"
    assert (tmp_path / EXAMPLE_FILE).read_text(encoding="utf-8") == example_config()


def test_requirements_for_provision_are_those_of_the_package() -> None:
    with open(ROOT / "pyproject.toml", "rb") as file:
        dependencies = tomllib.load(file)["project"]["dependencies"]
    assert (ROOT / "lms_bot" / "requirements.txt").read_text(encoding="utf-8").split() == dependencies


@pytest.mark.skipif(os.name != "posix", reason="needs a POSIX shell")
def test_the_ci_script_calls_readme_s_own_test_command() -> None:
    script = ROOT / ".ci" / "run"
    assert os.access(script, os.X_OK)
    assert "\nmake test\n" in script.read_text(encoding="utf-8")
