"""The load: sixteen connections kept open, one process of its own, one shot after another as it is told.

Started by `Gun`; reads a shot per line of standard input (JSON) and answers each with a line. It does as little per
answer as it can, so that the server and not the load is what is measured. Loopback only.
"""

import json
import select
import socket
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import repeat
from pathlib import Path
from typing import Any

from bench import events

ROOT = Path(__file__).resolve().parent.parent
CONNECTIONS = 16
LATEST = 5.0  # seconds that answers may be late after a shot has ended
LARGEST = 1 << 18


@dataclass(slots=True)
class Line:
    """One connection: its socket, what has arrived of an answer, when its request left."""

    socket: socket.socket
    arrived: bytes = b""
    left_at: float = 0.0


@dataclass(slots=True)
class Tally:
    """What came of a shot. `within` counts answers before its end, `answers` the late ones too."""

    wanted: bytes
    answers: int = 0
    within: int = 0
    wrong: int = 0
    sample: str = ""
    seconds: float = 0.0
    waits: list[float] = field(default_factory=list)

    def told(self) -> dict[str, Any]:
        marks = statistics.quantiles(self.waits, n=100) if len(self.waits) > 1 else [0.0] * 99
        return {
            "answers": self.answers,
            "wrong": self.wrong,
            "sample": self.sample,
            "rate": self.within / self.seconds if self.seconds else 0.0,
            "median_ms": round(marks[49] * 1000, 3),
            "p99_ms": round(marks[98] * 1000, 3),
        }


def _is_whole(data: bytes) -> bool:
    """Whether an answer has arrived to its end. 304 has no body; everything else says its length."""
    end = data.find(b"\r\n\r\n")
    if end < 0:
        return False
    if data.startswith(b"HTTP/1.1 304"):
        return True
    head = data[:end].lower()
    at = head.find(b"\r\ncontent-length:")
    if at < 0:
        raise ValueError(f"an answer without Content-Length: {data[:200]!r}")
    stop = head.find(b"\r\n", at + 2)
    return len(data) >= end + 4 + int(head[at + 17 : stop if stop > 0 else None])


def fire(port: int, requests: Iterator[bytes], *, seconds: float, status: int) -> Tally:
    """Keep every connection busy until the time is over or the requests are."""
    poll = select.epoll()
    lines: dict[int, Line] = {}
    tally = Tally(wanted=f"HTTP/1.1 {status}".encode())
    for _ in range(CONNECTIONS):
        line = Line(socket.create_connection(("127.0.0.1", port), timeout=LATEST))
        line.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        lines[line.socket.fileno()] = line
        poll.register(line.socket, select.EPOLLIN)
    begun = time.perf_counter()
    try:
        busy = sum(_send(line, requests) for line in lines.values())
        _exchange(poll, lines, requests, tally, busy=busy, until=begun + seconds)
    finally:
        poll.close()
        for line in lines.values():
            line.socket.close()
    return tally


def _send(line: Line, requests: Iterator[bytes]) -> bool:
    request = next(requests, None)
    if request is None:
        return False
    line.left_at = time.perf_counter()
    line.socket.sendall(request)
    return True


def _exchange(
    poll: Any,
    lines: dict[int, Line],
    requests: Iterator[bytes],
    tally: Tally,
    *,
    busy: int,
    until: float,
) -> None:
    begun = now = time.perf_counter()
    while busy and now < until + LATEST:
        for number, _ in poll.poll(0.2):
            line = lines[number]
            data = line.socket.recv(LARGEST)
            if not data:
                raise ConnectionError("the server closed a connection")
            line.arrived += data
            if not _is_whole(line.arrived):
                continue
            now = time.perf_counter()
            _count(tally, line, now, until)
            if now >= until or not _send(line, requests):
                busy -= 1
            tally.seconds = min(now, until) - begun
        now = time.perf_counter()
    tally.wrong += busy  # never answered


def _count(tally: Tally, line: Line, now: float, until: float) -> None:
    tally.answers += 1
    tally.within += now < until
    tally.waits.append(now - line.left_at)
    if not line.arrived.startswith(tally.wanted):
        tally.wrong += 1
        tally.sample = tally.sample or line.arrived[:300].decode("utf-8", "replace")
    line.arrived = b""


def get(path: str, headers: dict[str, str] | None = None) -> str:
    """A GET as a browser's keep-alive connection sends it."""
    told = {"Host": "127.0.0.1", "Accept": "text/html", "Accept-Encoding": "gzip", **(headers or {})}
    return f"GET {path} HTTP/1.1\r\n" + "".join(f"{k}: {v}\r\n" for k, v in told.items()) + "\r\n"


class Gun:
    """The other process. `shoot` waits for a shot's end and tells what came of it."""

    def __init__(self) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-m", "bench.load"],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def shoot(self, port: int, seconds: float, *, status: int = 200, **shot: Any) -> dict[str, Any]:
        """`request`: one text again and again; or `events`: a template, each event new."""
        assert self.process.stdin
        assert self.process.stdout
        self.process.stdin.write(
            json.dumps({"port": port, "seconds": seconds, "status": status, **shot}) + "\n"
        )
        self.process.stdin.flush()
        told = json.loads(self.process.stdout.readline() or '{"error": "the load died"}')
        if told.get("error") or told["wrong"]:
            raise RuntimeError(f"the load met wrong answers: {told}")
        return told

    def close(self) -> None:
        assert self.process.stdin
        self.process.stdin.close()
        self.process.wait(timeout=10)


def _requests(shot: dict[str, Any]) -> Iterator[bytes]:
    if "events" in shot:
        return iter(events.posts(**shot["events"]))  # made before the clock starts
    return repeat(shot["request"].encode())


def main(out: Callable[[str], Any] = sys.stdout.write) -> None:
    for line in sys.stdin:
        shot = json.loads(line)
        try:
            tally = fire(shot["port"], _requests(shot), seconds=shot["seconds"], status=shot["status"])
            told = tally.told()
        except (OSError, ValueError) as error:
            told = {"error": repr(error)}
        out(json.dumps(told) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
