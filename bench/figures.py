"""A row of the table: what was measured, the floor beside it, their ratio, and what it must reach.

Rounds are interleaved and each round has its own ratio, so what else the machine does weighs on both sides alike;
a row shows the median ratio and, as its spread, the quarter and three-quarter marks.
"""

import statistics
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any


@dataclass(slots=True)
class Row:
    """One line. `reach` is the least a ratio may be, or the most a figure may be (`at_most`); None only tells."""

    name: str
    figure: float
    unit: str
    floor: float | None = None
    ratio: float | None = None
    spread: tuple[float, float] | None = None
    reach: float | None = None
    at_most: bool = False
    says: str = ""
    rounds: dict[str, Any] = field(default_factory=dict)

    @property
    def verdict(self) -> str:
        """ok, short, or nothing where nothing must be reached."""
        if self.reach is None:
            return ""
        value = self.figure if self.at_most else self.ratio
        assert value is not None
        return "ok" if (value <= self.reach if self.at_most else value >= self.reach) else "short"

    def told(self) -> dict[str, Any]:
        """For results.json: every figure of every round."""
        return asdict(self) | {"verdict": self.verdict}


LEAST_ROUNDS = 3


def rounds(most: int, seconds: float) -> Iterator[int]:
    """So many rounds; on a machine that is too busy for them, as many as the time allows, but three."""
    until = time.monotonic() + seconds
    for number in range(most):
        if number >= LEAST_ROUNDS and time.monotonic() > until:
            return
        yield number


def against(
    name: str,
    ours: Sequence[float],
    floors: Sequence[float],
    unit: str,
    reach: float | None,
    *,
    fewer_is_better: bool = False,
    says: str = "",
    **more: Any,
) -> Row:
    """A row of interleaved rounds: rates, or times where fewer is better."""
    pairs = list(zip(ours, floors, strict=True))
    ratios = [floor / own if fewer_is_better else own / floor for own, floor in pairs]
    return Row(
        name=name,
        figure=statistics.median(ours),
        unit=unit,
        floor=statistics.median(floors),
        ratio=statistics.median(ratios),
        spread=quarters(ratios),
        reach=reach,
        says=says,
        rounds={"ours": list(ours), "floor": list(floors), "ratios": ratios, **more},
    )


def quarters(values: Sequence[float]) -> tuple[float, float]:
    """Where the middle half of the values lies."""
    if len(values) < 2:
        return values[0], values[0]
    low, _, high = statistics.quantiles(values, n=4, method="inclusive")
    return low, high


def table(rows: Sequence[Row]) -> str:
    """All rows, aligned."""
    head = ("", "figure", "floor", "ratio", "middle half", "reach", "", "")
    lines = [head, *(_cells(row) for row in rows)]
    widths = [max(len(line[column]) for line in lines) for column in range(len(head))]
    right = (1, 2, 3, 4, 5)
    return "\n".join(
        "  ".join(
            cell.rjust(widths[n]) if n in right else cell.ljust(widths[n]) for n, cell in enumerate(line)
        ).rstrip()
        for line in lines
    )


def _cells(row: Row) -> tuple[str, ...]:
    spread = f"{row.spread[0]:.2f}-{row.spread[1]:.2f}" if row.spread and row.ratio is not None else ""
    reach = "" if row.reach is None else f"<= {row.reach:g}" if row.at_most else f">= {row.reach:.2f}"
    return (
        row.name,
        f"{_short(row.figure)} {row.unit}",
        "" if row.floor is None else _short(row.floor),
        "" if row.ratio is None else f"{row.ratio:.2f}",
        spread,
        reach,
        row.verdict,
        row.says,
    )


def _short(value: float) -> str:
    if value >= 1000:
        return f"{value:,.0f}"
    return f"{value:.0f}" if value >= 100 else f"{value:.1f}" if value >= 10 else f"{value:.2f}"
