"""What all commands on the shell have in common: options, kinds of values, how they fail, log and end."""

from __future__ import annotations

import logging
import math
import re
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import click

from lms_bot.core.clock import to_utc, utc_now
from lms_bot.core.errors import LMSBotError

if TYPE_CHECKING:
    from lms_bot.app import App
    from lms_bot.settings.settings import Settings

logger = logging.getLogger(__name__)

LOG_FORMAT = "%(asctime)s %(levelname)s %(name)s: %(message)s"


@dataclass
class Options:
    """What may be said to every command, before or after its name."""

    config_file: Path | None = None
    bot_config_file: Path | None = None
    is_verbose: bool = False

    def load_settings(self, *, require_lms: bool = False) -> Settings:
        from lms_bot.settings.settings import load_settings

        return load_settings(self.bot_config_file, require_lms=require_lms)

    @contextmanager
    def open_app(self, settings: Settings) -> Iterator[App]:
        """The configured app, for the block; able to tell people if Zulip credentials are found."""
        from lms_bot.app import build_app, set_app
        from lms_bot.zulip.credentials import find_credentials

        app = build_app(settings, find_credentials(self.config_file))
        set_app(app)
        try:
            yield app
        finally:
            set_app(None)
            with suppress(LMSBotError):  # it is over anyhow; a duty that cannot be given back runs out by itself
                app.stop()


def common_options() -> list[click.Parameter]:
    def note(ctx: click.Context, option: click.Parameter, value: Any) -> None:
        if value and option.name:
            setattr(ctx.ensure_object(Options), option.name, value)

    file = click.Path(path_type=Path)
    return [
        click.Option(
            ["-c", "--config-file"], type=file, metavar="ZULIPRC", expose_value=False, callback=note,
            help="The bot's zuliprc; else ZULIP_* in the environment, else ~/.zuliprc.",
        ),
        click.Option(
            ["-b", "--bot-config-file"], type=file, metavar="FILE", expose_value=False, callback=note,
            help="File with a section [lms_bot]; the environment and .env win over it.",
        ),
        click.Option(
            ["--verbose", "is_verbose"], is_flag=True, expose_value=False, callback=note, help="Log more, to stderr."
        ),
    ]  # fmt: skip


pass_options = click.make_pass_decorator(Options, ensure=True)


class _WrongUseAsLine(click.Command):
    """Wrong options end as every error does: exit code 1 and a line. Click would take three, and 2."""

    def make_context(self, *args: Any, **kwargs: Any) -> click.Context:
        with _wrong_use_as_line():
            return super().make_context(*args, **kwargs)

    def invoke(self, ctx: click.Context) -> Any:
        with _wrong_use_as_line():
            return super().invoke(ctx)


class Command(_WrongUseAsLine):
    """A command that takes the common options and whose failures are lines on stderr, not tracebacks."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.params += common_options()

    def invoke(self, ctx: click.Context) -> Any:
        with _logging_to_stderr(ctx.ensure_object(Options).is_verbose), _failures_as_lines():
            return super().invoke(ctx)


class Group(_WrongUseAsLine, click.Group):
    command_class = Command


class Failure(click.ClickException):
    """Exit code 1, and one line for each problem."""

    def show(self, file: Any = None) -> None:
        for line in self.message.splitlines():
            click.echo(f"lms-bot: {line}", file=file, err=True)


@contextmanager
def _wrong_use_as_line() -> Iterator[None]:
    try:
        yield
    except click.exceptions.NoArgsIsHelpError:
        raise
    except click.UsageError as error:
        raise Failure(f"{error.format_message().rstrip('.')}; see --help") from error


@contextmanager
def _failures_as_lines() -> Iterator[None]:
    try:
        yield
    except LMSBotError as error:
        raise Failure(str(error)) from error
    except (click.ClickException, click.exceptions.Exit, click.Abort, BrokenPipeError):
        raise  # click knows what to do
    except OSError as error:
        raise Failure(error.strerror or type(error).__name__) from error
    except Exception as error:  # what it says is not known to be free of secrets
        logger.info("this should not have happened", exc_info=True)
        raise Failure(f"stopped by an unexpected {type(error).__name__}; --verbose tells more") from error


@contextmanager
def _logging_to_stderr(is_verbose: bool) -> Iterator[None]:
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(logging.Formatter(LOG_FORMAT))
    logging.getLogger().addHandler(handler)
    with log_level("lms_bot", logging.INFO if is_verbose else logging.WARNING):
        try:
            yield
        finally:
            logging.getLogger().removeHandler(handler)


@contextmanager
def log_level(name: str, level: int) -> Iterator[None]:
    named = logging.getLogger(name)
    usual = named.level
    named.setLevel(level)
    try:
        yield
    finally:
        named.setLevel(usual)


class Seconds(click.FloatRange):
    """A number of seconds; never NaN or infinite."""

    name = "seconds"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        seconds = float(super().convert(value, param, ctx))
        if not math.isfinite(seconds):
            self.fail(f"{value} is not a number of seconds.", param, ctx)
        return seconds


class Moment(click.ParamType[datetime]):
    """An ISO date or time, in UTC unless it says otherwise, or how long ago: 30m, 24h, 7d, 2w. Aware UTC."""

    name = "moment"
    _units = {"m": "minutes", "h": "hours", "d": "days", "w": "weeks"}  # noqa: RUF012

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> datetime:
        if isinstance(value, datetime):
            return value
        try:
            if ago := re.fullmatch("([0-9]+)([mhdw])", value.strip().lower()):
                return utc_now() - timedelta(**{self._units[ago[2]]: int(ago[1])})
            return to_utc(datetime.fromisoformat(re.sub("[zZ]$", "+00:00", value.strip())))
        except (ValueError, OverflowError):
            self.fail(f"{value!r} is no ISO date or time such as 2026-01-15T14:30, nor like 24h or 7d.", param, ctx)


@contextmanager
def ended_by_signals(exit_code: int | None) -> Iterator[None]:
    """SIGINT and SIGTERM end the block as an exception would; without an exit code, with the one shells expect."""
    usual = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}

    def restore() -> None:
        for number, handler in usual.items():
            signal.signal(number, handler)

    def end(number: int, _: object) -> NoReturn:
        restore()  # a second one does not wait for the end to be in order
        sys.exit(128 + number if exit_code is None else exit_code)

    for number in usual:
        signal.signal(number, end)
    try:
        yield
    finally:
        restore()
