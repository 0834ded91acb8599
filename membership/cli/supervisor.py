"""Keeps a few processes running in the foreground: started together, started again when one dies, stopped together.

Each child leads a session of its own, so its whole group can be ended: a server that was killed leaves workers behind
that would keep its port. Where the system can (Linux), children are told when the supervisor itself is killed.
"""

import os
import signal
import subprocess
import sys
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field

DEATHS = 10  # more than so many ...
SECONDS = 30  # ... in so many seconds: something is wrong, and starting again will not mend it
PATIENCE = 8  # seconds that children have to stop by themselves
TICK = 0.05
# Before it becomes the command, a child asks to be told when the supervisor is gone (1 is PR_SET_PDEATHSIG). A small
# program of its own does it: Python code between fork and exec can hang.
_FOLLOW_PARENT = """
import ctypes, os, signal, sys
if sys.platform == "linux":
    ctypes.CDLL(None).prctl(1, signal.SIGTERM)
os.execv(sys.argv[1], sys.argv[1:])
"""


class TooManyDeaths(Exception):
    """The children die faster than they can be useful."""


@dataclass
class Child:
    """One process: what it is called, and how it is started."""

    name: str
    command: Sequence[str]
    environment: Mapping[str, str]
    cwd: str
    process: "subprocess.Popen[bytes] | None" = field(default=None, init=False)

    def start(self) -> None:
        """Start it in a session of its own."""
        self.process = subprocess.Popen(  # noqa: S603 - our own commands
            [sys.executable, "-I", "-c", _FOLLOW_PARENT, *self.command],
            env=dict(self.environment),
            cwd=self.cwd,
            stdin=subprocess.DEVNULL,
            start_new_session=True,
        )

    def is_dead(self) -> bool:
        return self.process is not None and self.process.poll() is not None

    def signal(self, number: int) -> None:
        """To its whole group, which may outlive it."""
        if self.process is not None:
            with suppress(ProcessLookupError, PermissionError):
                os.killpg(self.process.pid, number)


class Supervisor:
    """Runs children until it is told to stop: by a signal, or because they die too often."""

    def __init__(self, children: Sequence[Child]) -> None:
        self.children = children
        self.deaths: deque[float] = deque()
        self.asked_to_stop = 0

    def run(self, each_tick: Callable[[], None], *, meanwhile: Callable[[], None] = lambda: None) -> None:
        """Start all and watch; returns when everything has stopped. Raises TooManyDeaths.

        `meanwhile` runs while the others load, before the last child starts: what that one needs, it finds.
        """
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, self._stop)
        try:
            for child in self.children[:-1]:
                child.start()
            meanwhile()
            self.children[-1].start()
            while not self.asked_to_stop:
                for child in self.children:
                    if child.is_dead() and not self.asked_to_stop:
                        self._again(child)
                each_tick()
                time.sleep(TICK)
        finally:
            self._end()

    def _stop(self, _number: int, _frame: object) -> None:
        self.asked_to_stop += 1
        if self.asked_to_stop > 1:
            for child in self.children:
                child.signal(signal.SIGKILL)

    def _again(self, child: Child) -> None:
        child.signal(signal.SIGKILL)  # what it left behind
        now = time.monotonic()
        self.deaths.append(now)
        while self.deaths[0] < now - SECONDS:
            self.deaths.popleft()
        if len(self.deaths) > DEATHS:
            raise TooManyDeaths(
                f"The {child.name} keeps dying: {len(self.deaths)} ends in {SECONDS} seconds."
            )
        sys.stderr.write(f"The {child.name} ended; it is started again.\n")
        sys.stderr.flush()
        child.start()

    def _end(self) -> None:
        """Ask all to stop, wait a little, then make them."""
        for child in self.children:
            child.signal(signal.SIGTERM)
        deadline = time.monotonic() + PATIENCE
        while time.monotonic() < deadline and not all(
            child.process is None or child.is_dead() for child in self.children
        ):
            time.sleep(TICK)
        for child in self.children:
            child.signal(signal.SIGKILL)
            if child.process is not None:
                child.process.wait()
