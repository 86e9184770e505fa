"""Which text goes beside which mark, so that none covers another. Pure."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from lms_bot.insight.charts.sheet import Box

MARK = 11.0  # pixels from a mark's middle to its edge
GAP = 3.0
_COLUMN = 64.0


@dataclass(frozen=True)
class Spot:
    """The middle of a mark, and how large the text is that says what it is."""

    x: float
    y: float
    width: float
    height: float

    @property
    def mark(self) -> Box:
        return Box(self.x - MARK, self.y - MARK, self.x + MARK, self.y + MARK)

    def get_places(self) -> Iterator[Box]:
        """Where the text may be, the best place first: above, below, to the right, to the left, at the corners."""
        beside, above = MARK + GAP + self.width / 2, MARK + GAP + self.height / 2
        shift = self.width / 2 - MARK
        for x, y in ((0, -1), (0, 1), (1, 0), (-1, 0)):
            yield self._around(self.x + x * beside, self.y + y * above)
        for x in (1, -1):
            for y in (-1, 1):
                yield self._around(self.x + x * shift, self.y + y * above)

    def _around(self, x: float, y: float) -> Box:
        return Box(x - self.width / 2, y - self.height / 2, x + self.width / 2, y + self.height / 2)


class _Taken:
    """Where something is already; looked up by columns, of which a text is in few."""

    def __init__(self) -> None:
        self._columns: dict[int, list[Box]] = defaultdict(list)

    def add(self, box: Box) -> None:
        for column in self._columns_of(box):
            self._columns[column].append(box)

    def is_free(self, box: Box) -> bool:
        return not any(box.overlaps(one) for column in self._columns_of(box) for one in self._columns[column])

    @staticmethod
    def _columns_of(box: Box) -> range:
        return range(int(box.left // _COLUMN), int(box.right // _COLUMN) + 1)


def place_labels(spots: Sequence[Spot], room: Box, others: Iterable[Box] = ()) -> list[Box | None]:
    """Where the text of each is to go: within the room, on no mark, text or other thing; None where it cannot be."""
    taken = _Taken()
    for box in (*others, *(spot.mark for spot in spots)):
        taken.add(box)
    placed: list[Box | None] = []
    for spot in spots:
        found = next((one for one in spot.get_places() if room.holds(one) and taken.is_free(one)), None)
        if found is not None:
            taken.add(found)
        placed.append(found)
    return placed
