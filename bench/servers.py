"""Granian as in production: two workers on a free port of this machine, what they cost, and their end."""

import os
import re
import signal
import socket
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import Self
from urllib.error import URLError
from urllib.request import urlopen

ROOT = Path(__file__).resolve().parent.parent
WORKERS = 2
THREADS = 4  # of each worker, as the demo has it
PATIENCE = 30


class Server:
    """One granian. A context manager: at the end it is stopped, whatever happened."""

    def __init__(
        self, target: str, environment: dict[str, str], *, workers: int = WORKERS, threads: int = THREADS
    ) -> None:
        self.port = free_port()
        plain = {k: v for k, v in os.environ.items() if not k.startswith(("GRANIAN", "FLASK"))}
        options = ("--interface", "wsgi", "--host", "127.0.0.1", "--port", str(self.port), "--no-ws",
                   "--blocking-threads", str(threads))  # fmt: skip
        quiet = ("--workers", str(workers), "--log-level", "warning", "--no-access-log")
        self.process = subprocess.Popen(
            [sys.executable, "-m", "granian", *options, *quiet, target],
            cwd=ROOT,
            env=plain | environment,
            stdin=subprocess.DEVNULL,
            start_new_session=True,
        )

    def __enter__(self) -> Self:
        try:
            self._wait()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def _wait(self) -> None:
        until = time.monotonic() + PATIENCE
        while True:
            try:
                with urlopen(f"http://127.0.0.1:{self.port}/healthz", timeout=5) as answer:
                    assert answer.status == 200
                    return
            except (URLError, OSError):
                if self.process.poll() is not None or time.monotonic() > until:
                    raise RuntimeError("the server did not start") from None
                time.sleep(0.05)

    def stop(self) -> None:
        """Its whole session, which may outlive it."""
        for number in (signal.SIGTERM, signal.SIGKILL):
            with suppress(ProcessLookupError):
                os.killpg(self.process.pid, number)
            with suppress(subprocess.TimeoutExpired):
                self.process.wait(timeout=8)

    def processes(self) -> list[int]:
        """The server and everything it started."""
        found, waiting = [], [self.process.pid]
        while waiting:
            pid = waiting.pop()
            found.append(pid)
            for task in Path(f"/proc/{pid}/task").glob("*/children"):
                waiting += [int(child) for child in task.read_text().split()]
        return found

    def workers(self) -> list[int]:
        """Those that answer requests: the app is loaded in them and in nobody else."""
        return [pid for pid in self.processes() if "resource_tracker" not in command_of(pid)][1:]

    def cpu_seconds(self) -> float:
        """What all of its threads have worked so far."""
        total = 0
        for pid in self.processes():
            for task in Path(f"/proc/{pid}/task").glob("*/schedstat"):
                with suppress(OSError):  # a thread that ended meanwhile
                    total += int(task.read_text().split()[0])
        return total / 1e9


def command_of(pid: int) -> str:
    return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode()


def pss_kb(pid: int) -> int:
    """What a process holds of the machine's memory, shared pages counted by their part."""
    rollup = Path(f"/proc/{pid}/smaps_rollup").read_text()
    return int(re.search(r"^Pss:\s+(\d+)", rollup, re.MULTILINE)[1])


def free_port() -> int:
    with socket.socket() as tried:
        tried.bind(("127.0.0.1", 0))
        return tried.getsockname()[1]
