"""The parts of the documents that are written from the code: `python -m tests.worlds.written_docs` writes them."""

from __future__ import annotations

import ast
import inspect
import re
from collections.abc import Callable
from datetime import datetime, timedelta
from types import SimpleNamespace
from typing import Any

from peewee import Model

import lms_bot
from lms_bot.chat.commands.history import format_history
from lms_bot.chat.commands.rendering import format_name
from lms_bot.chat.commands.table import COMMANDS, find_command
from lms_bot.chat.understanding.ways import load_ways
from lms_bot.core.activities import ActivityType
from lms_bot.core.clock import UTC
from lms_bot.core.markdown import NO_BREAK
from lms_bot.core.so_far import SoFar
from lms_bot.insight.reports.students import EventPage
from lms_bot.lms.standard import grant_statements
from lms_bot.notify.brief import BriefFormatter
from lms_bot.notify.formatter import MessageFormatter
from lms_bot.settings.documents import settings_markdown
from lms_bot.store import concerns, conversation, messages, models, totals
from tests.places import REPOSITORY
from tests.worlds.mentors_week import MONDAY, format_week, open_week

ROLE = "lms_bot_reader"

PUBLIC_METHODS: dict[str, tuple[str, ...]] = {
    "ActivityMonitor": ("poll_for_new_activities", "process_activities", "create_activity_event"),
    "LMSActivityEventHandler": (
        "handle_event", "process_pending_events", "process_event", "retry", "discard", "get_event_stats",
    ),
    "UserMapper": (
        "get_zulip_user_for_student", "get_zulip_user_for_mentor", "get_mentor_for_student",
        "get_notification_recipients", "clear_cache", "get_mapping_stats",
    ),
    "MessageFormatter": (
        "format_notification_message", "format_group_messages", "format_summary_message",
        *(f"format_{event_type.value}_message" for event_type in ActivityType),
    ),
    "BriefFormatter": (),
    "LMSActivityEvent": (
        "get_unprocessed_for_ai", "mark_processed_for_ai", "get_student_history", "get_in_range",
        "get_with_errors", "get_counts_by_type", "get_student_totals",
    ),
    "LMSEventLog": (),
}  # fmt: skip


def read(name: str) -> str:
    return (REPOSITORY / name).read_text(encoding="utf-8")


Person = tuple[int, str, str | None]  # student id, username, display name
JANE, JOHN, LI_NA = (12, "jane_smith", "Jane Smith"), (11, "john_doe", None), (15, "li_na", "Li Na")

Work = tuple[int, str]  # an exam's or content's id and title
FINAL, QUIZ = (31, "Mathematics Final Exam"), (32, "Python Basics Quiz")
EQUATIONS, MIDTERM = (61, "Linear Equations"), (33, "Physics Midterm")


def _event(number: int, event_type: str, person: Person, work: Work, at: str, **known: Any) -> Any:
    student_id, username, display_name = person
    activity_id, title = work
    return SimpleNamespace(
        event_id=number,
        event_type=event_type,
        student_id=student_id,
        student_username=username,
        student_display_name=display_name,
        activity_id=activity_id,
        attempt_id=known.pop("attempt", number),
        activity_title=title,
        activity_metadata=known,
        timestamp=datetime.fromisoformat(f"2026-01-15T{at}:00+00:00"),
    )


PASSED = {"score": 85, "percentage": 85, "result": "pass", "time_taken": "0:45:00"}
FIRST_NEWS = _event(12, "exam_passed", JOHN, FINAL, "14:30", **PASSED)
FAILURE = _event(28, "exam_failed", JOHN, FINAL, "14:30", percentage=40, score=8)
FAILURE.student_display_name = "John Doe"
FAILURE.so_far = SoFar(tries=2, before=35.0, failures_in_row=3, failures_of_exam=2)
DIGEST_OF = timedelta(days=3, hours=7, minutes=30)
LATER_NEWS = (
    _event(13, "exam_failed", JANE, QUIZ, "14:31", percentage=40, score=8),
    _event(14, "content_watched", LI_NA, EQUATIONS, "14:33"),
    _event(15, "exam_started", JOHN, MIDTERM, "14:34"),
    _event(16, "exam_started", JANE, QUIZ, "14:36", attempt=45),
    _event(17, "exam_passed", JANE, QUIZ, "14:58", attempt=45, percentage=75, score=15),
)


def message_sample() -> str:
    return _block("text", BriefFormatter().format_notification_message(FAILURE))


def digest_sample() -> str:
    with open_week() as week:
        (text,) = [text for now, text in week.live() if now == MONDAY + DIGEST_OF]
    return _block("text", text)


def group_sample() -> str:
    ((content, _),) = MessageFormatter().format_group_messages(LATER_NEWS)
    return _block("text", content)


def long_sample() -> str:
    return _block("text", MessageFormatter().format_notification_message(FIRST_NEWS))


def answer_sample() -> str:
    events = [one for one in reversed(LATER_NEWS) if one.student_id == JANE[0]]
    when = UTC, events[0].timestamp
    answer = format_history(format_name(*JANE), EventPage(3, events), ["the last 7 days"], "", when)
    return _block("text", answer)


def grants_block() -> str:
    return _block("sql", f"CREATE ROLE {ROLE} LOGIN PASSWORD 'secret';\n{grant_statements(ROLE)}")


def commands_table() -> str:
    rows = ((_code(one.usage), one.meaning, one.audience.value) for one in COMMANDS)
    return _table(("you write", "you get", "for"), rows)


def ways_table() -> str:
    rows = (
        (_code(one.name), ", ".join(map(_code, one.aliases)) or "-", _code(one.get_example()), _ways_of(one.name))
        for one in COMMANDS
    )
    return _table(("command", "also", "for example", "or, of many ways"), rows)


def _ways_of(name: str) -> str:
    """Some ways to say it, from one end of the table to the other."""
    said = [
        " ".join(way.words) for way in load_ways().ways if (found := find_command(way.says)[0]) and found.name == name
    ]
    return ", ".join(said[at] for at in sorted({0, len(said) // 2, len(said) - 1}))


def conversations_part() -> str:
    """Those of tests/worlds/conversations.md that are meant for doc.md; a test holds them."""
    _, shown, _ = re.split(r"^## .*\n", read("tests/worlds/conversations.md"), flags=re.MULTILINE)
    return shown


def tables_table() -> str:
    rows = (
        (
            _code(model._meta.table_name),
            _one_line(model.__doc__),
            ", ".join(_code(field.column_name) for field in model._meta.sorted_fields),
        )
        for model in _store_models()
    )
    return _table(("table", "a row is", "columns"), rows)


def _store_models() -> list[type[Model]]:
    modules = (models, messages, totals, conversation, concerns)
    classes = dict.fromkeys(one for module in modules for one in vars(module).values() if isinstance(one, type))
    return [one for one in classes if issubclass(one, models.BaseModel) and one is not models.BaseModel]


def api_block() -> str:
    classes = (_class_stub(getattr(lms_bot, name), methods) for name, methods in PUBLIC_METHODS.items())
    return _block("python", "\n\n".join([*classes, _stub(lms_bot.health_check, "")]))


def _class_stub(cls: type, methods: tuple[str, ...]) -> str:
    # A model's constructor is peewee's.
    names = methods if issubclass(cls, Model) or "__init__" not in vars(cls) else ("__init__", *methods)
    stubs = [_stub(getattr(cls, name), "    ", is_of_class=inspect.ismethod(getattr(cls, name))) for name in names]
    return "\n".join([f"class {cls.__name__}:", f'    """{_first_sentence(cls)}"""', *stubs])


def _stub(function: Callable[..., Any], indent: str, is_of_class: bool = False) -> str:
    signature = inspect.signature(function)
    parameters = [one for one in signature.parameters.values() if one.name != "parts"]
    shown = signature.replace(parameters=parameters)
    text = re.sub(r"(: |-> )'([^']*)'", r"\1\2", str(shown))  # annotations are texts, and shown as such
    if is_of_class:
        text = f"(cls, {text[1:]}".replace("(cls, )", "(cls)")
    lines = [f"{indent}@classmethod"] if is_of_class else []
    lines.append(f"{indent}def {function.__name__}{text}:" + (" ..." if not function.__doc__ else ""))
    return "\n".join(lines + ([f'{indent}    """{_first_sentence(function)}"""'] if function.__doc__ else []))


def benchmarks_table() -> str:
    modules = {path.stem: path.read_text(encoding="utf-8") for path in sorted(REPOSITORY.glob("benchmarks/*.py"))}
    docs = {name: ast.get_docstring(ast.parse(code)) for name, code in modules.items() if "\ndef run(" in code}
    return _table(("name", "measures"), ((_code(name), _first_sentence_of(text)) for name, text in docs.items()))


def _first_sentence(documented: object) -> str:
    return _first_sentence_of(inspect.getdoc(documented))


def _first_sentence_of(text: str | None) -> str:
    return re.split(r"(?<=\.)\s", _one_line(text))[0]


def _one_line(text: str | None) -> str:
    return " ".join((text or "").split())


def _code(text: str) -> str:
    return f"`{text}`"


def _table(head: tuple[str, ...], rows: Any) -> str:
    lines = [head, ("---",) * len(head), *rows]
    return "".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |\n" for line in lines)


def _block(language: str, text: str) -> str:
    return f"```{language}\n{text.replace(NO_BREAK, ' ')}\n```\n"


WRITTEN: dict[str, dict[str, Callable[[], str]]] = {
    "README.md": {
        "message": message_sample,
        "digest": digest_sample,
        "group": group_sample,
        "answer": answer_sample,
        "grants": grants_block,
        "settings": settings_markdown,
        "commands": commands_table,
    },
    "doc.md": {
        "week": format_week,
        "long": long_sample,
        "ways": ways_table,
        "conversations": conversations_part,
        "tables": tables_table,
        "api": api_block,
    },
    "benchmarks/README.md": {"benchmarks": benchmarks_table},
}


def between(marker: str) -> re.Pattern[str]:
    return re.compile(rf"(?<=<!-- {marker} -->\n).*?(?=<!-- /{marker} -->)", re.DOTALL)


def rewrite() -> None:
    for document, parts in WRITTEN.items():
        text = read(document)
        for marker, write in parts.items():
            text = between(marker).sub(lambda _, write=write: write(), text)  # type: ignore[misc]
        (REPOSITORY / document).write_text(text, encoding="utf-8")


if __name__ == "__main__":
    rewrite()
