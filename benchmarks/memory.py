"""The memory the bot needs at most while it works off a long backlog.

The bot runs in a process of its own (`python -m benchmarks.memory`), without the servers it speaks to.
"""

from __future__ import annotations

import json
import resource
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from time import perf_counter
from typing import Any

from benchmarks.measuring import Report, at_most, doing, rounded
from benchmarks.world import BenchmarkLMS, StoreKind, World, running_app
from lms_bot.zulip.gateway import Credentials

STATUS = Path("/proc/self/status")
MOST_MEGABYTES = 150


def run(world: World, stores: Sequence[StoreKind], is_smoke: bool) -> Report:
    backlog = 5000 if is_smoke else 1_000_000
    report = Report("memory", {"changed_rows": backlog})
    with world.new_lms() as lms:
        for kind in stores:
            report.figures[kind] = figures = _measure(world, lms, kind, backlog)
            claim = f"{kind}: megabytes at most in use"
            report.targets.append(at_most(claim, figures["peak_megabytes"], MOST_MEGABYTES))
    return report


def _measure(world: World, lms: BenchmarkLMS, kind: StoreKind, backlog: int) -> dict[str, float]:
    """Lets a bot start on an empty LMS, and again, in a process of its own, once the backlog is there."""
    lms.remove_attempts()
    with world.new_store(kind) as store_url:
        with running_app(lms.url, store_url, world.credentials) as app:
            app.monitor.process_activities()
        doing(f"memory, {kind}: writing {backlog:,} rows into the LMS")
        lms.add_attempts(backlog)
        doing(f"memory, {kind}: a bot in a process of its own records them")
        told = {"lms_url": lms.url, "store_url": store_url, "credentials": vars(world.credentials)}
        child = [sys.executable, "-m", "benchmarks.memory"]
        ended = subprocess.run(child, input=json.dumps(told), stdout=subprocess.PIPE, text=True, check=True)
    figures = json.loads(ended.stdout)
    assert figures.pop("events") == backlog
    return {name: rounded(figure) for name, figure in figures.items()}


def main() -> None:
    """The child: works the backlog off and prints what that took, as JSON."""
    told = json.load(sys.stdin)
    credentials = Credentials(**told["credentials"])
    with running_app(told["lms_url"], told["store_url"], credentials) as app:
        before = peak_megabytes()
        began = perf_counter()
        events = app.monitor.process_activities()
        seconds = perf_counter() - began
    print(json.dumps(_figures(events, seconds, before)))


def _figures(events: int, seconds: float, before: float) -> dict[str, Any]:
    return {
        "events": events,
        "started_megabytes": before,
        "peak_megabytes": peak_megabytes(),
        "rows_per_second": events / seconds,
    }


def peak_megabytes() -> float:
    """The most memory this process ever had resident.

    Linux counts what the parent had into a child's `ru_maxrss`, so its own account is asked first.
    """
    if STATUS.exists():
        lines = dict(line.split(":", 1) for line in STATUS.read_text().splitlines())
        return int(lines["VmHWM"].split()[0]) / 1024
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 1024**2


if __name__ == "__main__":
    main()
