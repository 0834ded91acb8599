"""What a web server of two workers holds in memory once it has worked, and how soon a fresh process answers."""

import os
import statistics
import subprocess
import sys
import time

from bench import events
from bench.figures import Row, quarters
from bench.load import Gun, get
from bench.rows_hook import OURS
from bench.rows_pages import FORMS, PAGES
from bench.servers import ROOT, Server, pss_kb
from bench.world import WEBHOOK_SECRET, World

MB = 220
SECONDS = 1.0


def memory(world: World, gun: Gun) -> Row:
    """The app as it is served, after pages, forms and events have come through both workers."""
    with Server("wsgi:app", world.environment(world.fresh("sqlite"))) as server:
        for path in (
            *PAGES.values(),
            *(f"/ka{path}" for path in PAGES.values()),
            FORMS["gift form"],
            f"/ka{FORMS['gift form']}",
        ):
            gun.shoot(server.port, 0.1, request=get(path))
        made = {"template": events.template(), "path": OURS, "secret": WEBHOOK_SECRET, "first": 0, "count": 300,
                "livemode": True}  # fmt: skip
        gun.shoot(server.port, 0.5, events=made)
        held = {pid: pss_kb(pid) / 1024 for pid in server.processes()}
        workers = [held[pid] for pid in server.workers()]
    total = sum(held.values())
    each = " and ".join(f"{value:.0f}" for value in workers)
    return Row("memory, 2 web workers (PSS)", total, "MB", reach=MB, at_most=True,
               says=f"workers {each} MB, the rest is the server's own main process",
               rounds={"workers_mb": workers, "all_mb": list(held.values())})  # fmt: skip


def first(world: World, rounds: int) -> Row:
    """From the start of a process to its first page: the interpreter, every import, the app, the database."""
    environment = os.environ | world.environment(world.fresh("sqlite"))
    _once(environment)  # byte code is written, files are in the page cache
    told = [_once(environment) for _ in range(rounds)]
    walls, works = [one["seconds"] for one in told], [one["cpu"] for one in told]
    return Row("import to first answer", statistics.median(walls), "s", reach=SECONDS, at_most=True,
               spread=quarters(walls), says=f"of it CPU {statistics.median(works):.2f} s",
               rounds={"seconds": walls, "cpu": works})  # fmt: skip


def _once(environment: dict[str, str]) -> dict[str, float]:
    begun = time.monotonic()
    program = [sys.executable, "-m", "bench.first"]
    done = subprocess.run(program, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(done.stderr)
    answered, worked = map(float, done.stdout.split())
    return {"seconds": answered - begun, "cpu": worked}
