"""`python -m bench`: how fast, how large, against a floor measured in the same run. A table, and bench/results.json.

Only ratios within one run are worth quoting: every floor is measured beside what stands on it, round by round, on the
same server. Nothing leaves this machine; every loop ends by time and by count. `--quick` takes half a minute.
"""

import argparse
import json
import os
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path

from bench import (
    machine,
    rows_account,
    rows_converge,
    rows_desk,
    rows_hook,
    rows_pages,
    rows_start,
    rows_weight,
)
from bench.figures import Row, table
from bench.load import Gun
from bench.world import KINDS, World

RESULTS = Path(__file__).with_name("results.json")
LARGE = Path(__file__).with_name("large.json")


class Size:
    """How much of everything: a whole run, or a quick look."""

    def __init__(self, quick: bool) -> None:
        self.rounds = 3 if quick else 7
        self.seconds = 0.15 if quick else 0.75
        self.gifts = 3 if quick else 10
        self.starts = 2 if quick else 7


def parts(world: World, gun: Gun, size: Size) -> dict[str, Callable[[], list[Row]]]:
    """What can be measured, in the table's order."""
    return {
        "pages": lambda: rows_pages.measure(world, gun, size.rounds, size.seconds),
        "hook": lambda: rows_hook.measure(world, gun, size.rounds, size.seconds, KINDS),
        "converge": lambda: rows_converge.measure(world, size.rounds, size.gifts, KINDS),
        "start": lambda: [rows_start.memory(world, gun), rows_start.first(world, size.starts)],
        "weight": lambda: rows_weight.measure(world),
        "desk": lambda: rows_desk.measure(world, size.rounds),
        "account": lambda: rows_account.measure(world, size.rounds),
    }


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench", description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--quick", action="store_true", help="few short rounds: half a minute, rough ratios")
    parser.add_argument(
        "--only", metavar="PART", action="append", help="pages, hook, converge, start, weight, desk, account"
    )
    parser.add_argument(
        "--large", action="store_true", help="only the desk, at a million people; takes minutes"
    )
    asked = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # whoever ends it finds nothing left behind
    begun, size = time.monotonic(), Size(asked.quick)
    world, gun, rows = World(), Gun(), []
    try:
        told = {"made_at": machine.now(), "quick": asked.quick, "rounds": size.rounds,
                "machine": machine.facts(world.path), "versions": machine.versions()}  # fmt: skip
        measured = parts(world, gun, size)
        if asked.large:
            measured = {"large": lambda: rows_desk.measure_large(world, size.rounds)}
        for name, measure in measured.items():
            if asked.large or asked.only is None or name in asked.only:
                since = time.monotonic()
                rows += measure()
                sys.stderr.write(f"{name}: {time.monotonic() - since:.0f} s\n")
        told["postgresql"] = world.postgres_says()
    finally:
        gun.close()
        world.close()
    told["machine"]["load_after"] = os.getloadavg()[0]
    told["seconds"] = round(time.monotonic() - begun, 1)
    told["rows"] = [row.told() for row in rows]
    results = LARGE if asked.large else RESULTS
    results.write_text(json.dumps(told, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    print(table(rows))
    short = [row.name for row in rows if row.verdict == "short"]
    machine_ = told["machine"]
    print(f"\n{size.rounds} interleaved rounds, medians; {machine_['cores']} cores, load {machine_['load_before']:.1f} before, "
          f"{machine_['load_after']:.1f} after; {told['seconds']:.0f} s. Every figure: bench/{results.name}")  # fmt: skip
    print(
        f"Short of what must be reached: {', '.join(short)}." if short else "Everything reaches what it must."
    )


if __name__ == "__main__":
    main()
