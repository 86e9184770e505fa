"""What may be meant where somebody mistyped: the one door to rapidfuzz. Pure."""

from __future__ import annotations

from collections.abc import Iterable

from rapidfuzz import fuzz, process


def find_nearest(said: str, names: Iterable[str], limit: int, cutoff: int) -> list[str]:
    """At most so many of the names, the most similar first; `cutoff` is how similar they must be: 100 is the same."""
    near = process.extract(said, list(names), scorer=fuzz.ratio, limit=limit, score_cutoff=cutoff)
    return [name for name, _, _ in near]
