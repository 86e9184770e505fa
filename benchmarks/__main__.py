"""`python -m benchmarks [NAME …] [--smoke] [--store sqlite|postgresql|both]`: one JSON line for each benchmark."""

from __future__ import annotations

import argparse
from functools import partial

from benchmarks import answers, calm, concerns, conversation, delivery, idle_poll, ingest, memory, sweep
from benchmarks.measuring import doing
from benchmarks.world import StoreKind, open_world

BENCHMARKS = {
    "ingest": ingest.run,
    "idle_poll": idle_poll.run,
    "sweep": sweep.run,
    "memory": memory.run,
    "delivery": delivery.run,
    "conversation": conversation.run,
    "answers": answers.run,
    "concerns": concerns.run,
    "calm": calm.run,
}
STORES: dict[str, list[StoreKind]] = {
    "sqlite": ["sqlite"],
    "postgresql": ["postgresql"],
    "both": ["sqlite", "postgresql"],
}


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description="One JSON line for each benchmark.")
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"which; all by default: {', '.join(BENCHMARKS)}")
    parser.add_argument("--smoke", action="store_true", help="tiny sizes, to see that they run")
    parser.add_argument("--store", choices=list(STORES), default="both", help="which kind of store")
    parser.add_argument("--events", type=int, default=answers.EVENTS, help="how many `answers` has stored")
    parser.add_argument("--mentors", type=int, default=calm.MENTORS, help="how many `calm` has, of 40 students each")
    asked = parser.parse_args()
    unknown = [name for name in asked.names if name not in BENCHMARKS]
    if unknown:
        parser.error(f"no benchmark is called {', '.join(unknown)}; there are {', '.join(BENCHMARKS)}")
    benchmarks = BENCHMARKS | {"answers": partial(answers.run, events=asked.events)}
    benchmarks |= {"calm": partial(calm.run, mentors=asked.mentors)}
    with open_world() as world:
        for name in asked.names or benchmarks:
            doing(f"{name} begins")
            print(benchmarks[name](world, STORES[asked.store], asked.smoke).to_json(), flush=True)


if __name__ == "__main__":
    main()
