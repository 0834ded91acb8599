"""The demo as it is started by hand: web server, pretend Stripe and worker as three processes of one supervisor.

`time_passes` moves the pretend Stripe's clock and waits until our web server believes it, so no test has to sleep
until a form counts as read by a person, a shuffled webhook is due or a month is over.
"""

import base64
import json
import os
import re
import signal
import socket
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any, TypeVar
from urllib.error import URLError
from urllib.parse import quote
from urllib.request import Request, urlopen

ROOT = Path(__file__).resolve().parents[2]
SECONDS = 60  # how long a busy machine may take for what takes a second or two
SLUG = "small-newsrooms"
FORM = f"/fundraisers/{SLUG}/give"
PARTS = {"web server": "granian", "pretend Stripe": "sandbox", "worker": "flask work"}
OURS = ("INSTANCE_PATH", "PORT", "FLASK_APP", "PATH", "HOME", "LANG", "TMPDIR", "PYTHONPATH", "VIRTUAL_ENV")

# Becomes the demo, which is told (SIGTERM; 1 is PR_SET_PDEATHSIG) when the tests are gone, however they went.
START = """
import ctypes, os, sys
if sys.platform == "linux":
    ctypes.CDLL(None).prctl(1, 15)
os.execv(sys.executable, [sys.executable, "-m", "flask", "demo"])
"""

Found = TypeVar("Found")


def eventually(look: Callable[[], Found], seconds: float = SECONDS) -> Found:
    """Look until what is seen is true; what was seen last is returned, so the caller can say what it was."""
    until = time.monotonic() + seconds
    found = look()
    while not found and time.monotonic() < until:
        time.sleep(0.1)
        found = look()
    return found


def free_port() -> int:
    """A port that is free, and the one after it too."""
    while True:
        with closing(socket.socket()) as first, closing(socket.socket()) as second:
            first.bind(("127.0.0.1", 0))
            port = first.getsockname()[1]
            try:
                second.bind(("127.0.0.1", port + 1))
            except OSError:
                continue
            return port


def asked(url: str, told: object = None, seconds: float = 20) -> bytes:
    """What a server on this machine answers; with `told` it is posted as JSON."""
    body = None if told is None else json.dumps(told).encode()
    request = Request(url, body, {"Content-Type": "application/json"} if body else {})
    with urlopen(request, timeout=seconds) as answer:
        return answer.read()


def answers(url: str) -> bool:
    try:
        return bool(asked(url, seconds=2))
    except (URLError, OSError):
        return False


class Demo:
    """One running demo on a folder and ports of its own."""

    def __init__(self, folder: Path) -> None:
        self.instance, self.port = folder / "instance", free_port()
        self.url, self.stripe_url = f"http://127.0.0.1:{self.port}", f"http://localhost:{self.port + 1}"
        self.log = folder / "demo.log"
        self.environment = {name: os.environ[name] for name in OURS if name in os.environ}
        self.environment |= {
            "INSTANCE_PATH": str(self.instance),
            "PORT": str(self.port),
            "FLASK_APP": "wsgi.py",
        }
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-c", START], cwd=ROOT, env=self.environment,
                stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT,
            )  # fmt: skip
        line = f"Ready: {self.url}"
        is_ready = eventually(
            lambda: line in self.log.read_text().splitlines() or self.process.poll() is not None
        )
        assert is_ready, f"not ready after {SECONDS} s: {self.log.read_text()}"
        assert self.process.poll() is None, f"the demo ended: {self.log.read_text()}"

    def stop(self) -> list[str]:
        """Stop it as Ctrl-C does; the command lines of what outlived it (and was ended now)."""
        if self.process is None:
            return []
        self.process.send_signal(signal.SIGINT)
        try:
            self.process.wait(timeout=SECONDS)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        left = self.running()
        for pid in left:
            os.kill(pid, signal.SIGKILL)
        return list(left.values())

    # processes

    def running(self) -> dict[int, str]:
        """pid -> command line of every live process that was started for this instance."""
        mark, found = f"INSTANCE_PATH={self.instance}".encode(), {}
        for path in Path("/proc").glob("[0-9]*"):
            try:
                if mark in (path / "environ").read_bytes() and ") Z " not in (path / "stat").read_text():
                    found[int(path.name)] = (path / "cmdline").read_bytes().decode().replace("\0", " ")
            except OSError:
                continue
        return found

    def pid_of(self, part: str) -> int | None:
        """The child of the supervisor that is this part."""
        for pid, command in self.running().items():
            if PARTS[part] in command:
                try:
                    parent = int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])
                except OSError:
                    continue
                if parent == self.process.pid:
                    return pid
        return None

    def kill(self, part: str) -> int:
        """kill -9, and nothing else."""
        pid = eventually(lambda: self.pid_of(part))
        assert pid, f"no process is the {part}: {self.running()}"
        os.kill(pid, signal.SIGKILL)
        return pid

    def is_back(self, part: str, killed: int) -> bool:
        """Wait until another process stands in the place of the one that was killed, and both servers answer."""
        return eventually(
            lambda: (
                self.pid_of(part) not in (None, killed)
                and answers(f"{self.url}/readyz")
                and answers(f"{self.stripe_url}/healthz")
            )
        )

    def flask(self, *words: str) -> "subprocess.CompletedProcess[str]":
        """Another command of ours on the same instance."""
        from dotenv import dotenv_values

        settings = {name: value or "" for name, value in dotenv_values(self.instance / "demo.env").items()}
        return subprocess.run(
            [sys.executable, "-m", "flask", *words], cwd=ROOT, env=self.environment | settings,
            stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=SECONDS, check=False,
        )  # fmt: skip

    # the pretend Stripe's knobs

    def control(self, what: str, **told: object) -> dict[str, Any]:
        return json.loads(asked(f"{self.stripe_url}/_control/{what}", told))

    def state(self, email: str = "") -> dict[str, int]:
        """What the pretend Stripe has of one reader, or of all."""
        query = f"?email={quote(email)}" if email else ""
        return json.loads(asked(f"{self.stripe_url}/_control/state{query}"))

    @contextmanager
    def webhooks(self, *modes: str) -> Iterator[None]:
        """Webhooks go out like this for a while, and afterwards as they do by default."""
        self.control("webhooks", modes=list(modes))
        try:
            yield
        finally:
            self.control("webhooks", modes=["duplicate", "shuffle"])

    @contextmanager
    def faults(self, kind: str, count: int, path: str) -> Iterator[None]:
        """The next calls to this path fail in this way."""
        self.control("faults", kind=kind, next=count, path=path)
        try:
            yield
        finally:
            self.control("faults", next=0)

    # time

    def now(self) -> float:
        """The time by our web server's clock, which signs it into every form."""
        page = asked(self.url + FORM).decode()
        text = re.search(r'name="attempt" value="([\w-]+)\.', page)[1]
        return json.loads(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)))[1]

    def time_passes(self, seconds: int = 0, days: int = 0) -> None:
        told = {"advance_seconds": seconds} if seconds else {"advance_days": days}
        reached = self.control("clock", **told)["now"]
        assert eventually(lambda: self.now() >= reached), "our clock does not follow the pretend Stripe's"

    # what came of it

    def mails(self, to: str = "") -> list[dict[str, str]]:
        """Mails that went out, oldest first."""
        kept = json.loads(asked(f"{self.url}/demo/mailbox?format=json"))[::-1]
        return [mail for mail in kept if to in mail["to"]]

    def mails_after_a_while(self, to: str, count: int = 1) -> list[dict[str, str]]:
        """The mails to this address, once there are so many."""
        self.comes_true(lambda: len(self.mails(to)) >= count)
        return self.mails(to)

    def comes_true(self, look: Callable[[], object]) -> bool:
        """Look until it is true, while time passes as it does for someone who waits: several times as fast."""

        def wait() -> object:
            found = look()
            if not found:
                self.control("clock", advance_seconds=2)
            return found

        return bool(eventually(wait))

    def is_quiet(self) -> bool:
        """Every webhook has been delivered, twice where it comes twice, and the worker has done what follows."""
        deliveries = json.loads(asked(f"{self.stripe_url}/_control/webhooks"))["deliveries"]
        objects = "SELECT count(*) FROM stripe_objects WHERE dirty_seq > clean_seq AND NOT dead"
        mails = "SELECT count(*) FROM outbox_emails WHERE sent_at IS NULL AND NOT dead"
        return not (deliveries.keys() & {"pending", "sending"}) and self.rows(objects) == self.rows(
            mails
        ) == [(0,)]

    def rows(self, question: str, *values: object) -> list[tuple[Any, ...]]:
        """What the demo's database says, read only."""
        database = sqlite3.connect(f"file:{self.instance / 'demo.sqlite'}?mode=ro", uri=True)
        with closing(database):
            return database.execute(question, values).fetchall()

    def payments_of(self, reference: str) -> list[tuple[str, int, int]]:
        """(status, gross, net) of each payment of this gift."""
        return self.rows(
            "SELECT p.status, p.amount_minor, p.net_minor FROM payments p JOIN donations d ON d.id = p.donation_id "
            "WHERE d.reference = ?", reference,
        )  # fmt: skip

    def balance(self, account: str) -> int:
        """What the ledger has under this code or, with a * at its end, under all that begin so."""
        return self.rows(
            "SELECT coalesce(sum(p.amount_minor), 0) FROM ledger_postings p "
            "JOIN ledger_accounts a ON a.id = p.account_id WHERE a.code GLOB ?", account,
        )[0][0]  # fmt: skip
