"""Processes and a folder for a sandbox that end with the program that asked for them, however that ends.

`Reaper` is the asking side. The reaping is done by a small process of its own (this file run as a script,
standard library only): it starts what it is told to and listens on its standard input. When that closes, and
the kernel closes it even if the owner was killed with -9, it ends its processes and removes the folder.
"""

from __future__ import annotations

import atexit
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

PATIENCE_SECONDS = 10.0  # for a process to end after its signal, before it is killed


class Reaper:
    """A temporary folder, and processes that live no longer than this program.

    `folder` exists from the start and is gone after `close()`, which is also called when the program exits.
    Its path is short enough to hold unix sockets.
    """

    def __init__(self, prefix: str = "lms-bot-") -> None:
        self.folder = Path(tempfile.mkdtemp(prefix=prefix, dir=_short_temporary_folder()))
        self._owner_pid = os.getpid()
        self._one_at_a_time = threading.RLock()
        self._process = subprocess.Popen(
            [sys.executable, "-I", "-S", __file__, str(self.folder)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            cwd="/",
            start_new_session=True,  # Ctrl-C is for the owner, who then closes this in order
        )
        atexit.register(self.close)

    def start(
        self,
        arguments: Sequence[str | Path],
        *,
        log: str = "log",
        env: Mapping[str, str] | None = None,
        user: str | None = None,
        end_signal: int = signal.SIGTERM,
    ) -> int:
        """Start a process and return its pid.

        Its output is appended to the file `log` in the folder. `env` replaces the environment, `user` is who
        it runs as (only root may say). `end_signal` ends it when the reaper does. OSError if it cannot start.
        """
        words = [str(argument) for argument in arguments]
        environment = dict(os.environ if env is None else env)
        return int(self._ask("start", words, log, environment, user, end_signal))

    def exit_code(self, pid: int) -> int | None:
        """The exit code of a process started here, negative for a signal; None while it runs."""
        code: int | None = self._ask("exit_code", pid)
        return code

    def stop(self, pid: int, with_signal: int = signal.SIGTERM, patience_seconds: float = PATIENCE_SECONDS) -> int:
        """Send the signal, wait for the end, kill if patience runs out first; return the exit code."""
        return int(self._ask("stop", pid, with_signal, patience_seconds))

    def close(self) -> None:
        """End everything and remove the folder. May be called twice; does nothing in a forked child."""
        with self._one_at_a_time:
            if os.getpid() != self._owner_pid or self._process.stdin is None or self._process.stdin.closed:
                return
            atexit.unregister(self.close)
            self._process.stdin.close()
            self._process.wait()
            if self._process.stdout is not None:
                self._process.stdout.close()
            shutil.rmtree(self.folder, ignore_errors=True)

    def _ask(self, verb: str, *arguments: Any) -> Any:
        with self._one_at_a_time:
            assert self._process.stdin is not None and self._process.stdout is not None
            self._process.stdin.write(json.dumps([verb, *arguments]) + "\n")
            self._process.stdin.flush()
            answer = self._process.stdout.readline()
        if not answer:
            raise OSError(f"the reaper of {self.folder} is gone")
        result, error = json.loads(answer)
        if error is not None:
            raise OSError(error)
        return result


def _short_temporary_folder() -> str:
    """The system's temporary folder, unless a unix socket's path (about 100 bytes) would not fit in it."""
    usual = tempfile.gettempdir()
    return usual if len(os.fsencode(usual)) < 60 else "/tmp"


class _ReaperProcess:
    """The side of the small process: answers one request at a time, and ends all when there is nobody left to ask."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.processes: dict[int, subprocess.Popen[bytes]] = {}
        self.end_signals: dict[int, int] = {}

    def start(self, arguments: list[str], log: str, env: dict[str, str], user: str | None, end_signal: int) -> int:
        as_user: dict[str, Any] = {"user": user, "group": _group_of(user), "extra_groups": []} if user else {}
        with (self.folder / log).open("ab") as output:
            process = subprocess.Popen(
                arguments, stdin=subprocess.DEVNULL, stdout=output, stderr=output,
                env=env, cwd=self.folder, start_new_session=True, **as_user,
            )  # fmt: skip
        self.processes[process.pid] = process
        self.end_signals[process.pid] = end_signal
        return process.pid

    def exit_code(self, pid: int) -> int | None:
        return self.processes[pid].poll()

    def stop(self, pid: int, with_signal: int, patience_seconds: float = PATIENCE_SECONDS) -> int:
        process = self.processes[pid]
        process.send_signal(with_signal)
        try:
            return process.wait(patience_seconds)
        except subprocess.TimeoutExpired:
            os.killpg(pid, signal.SIGKILL)
            return process.wait()

    def answer_until_alone(self) -> None:
        for line in sys.stdin:
            verb, *arguments = json.loads(line)
            answer: tuple[Any, str | None]
            try:
                answer = (getattr(self, verb)(*arguments), None)
            except OSError as error:
                answer = (None, str(error))
            print(json.dumps(answer), flush=True)

    def end(self) -> None:
        for pid in reversed(list(self.processes)):
            self.stop(pid, self.end_signals[pid])
        deadline = time.monotonic() + PATIENCE_SECONDS
        while self.folder.exists() and time.monotonic() < deadline:
            shutil.rmtree(self.folder, ignore_errors=True)


def _group_of(user: str) -> int:
    import pwd

    return pwd.getpwnam(user).pw_gid


def _main(folder: Path) -> None:
    process = _ReaperProcess(folder)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit())
    try:
        process.answer_until_alone()
    except BrokenPipeError:
        pass  # the owner went away before it heard the answer
    finally:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        process.end()


if __name__ == "__main__":
    _main(Path(sys.argv[1]))
