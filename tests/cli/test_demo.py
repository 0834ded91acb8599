"""The demo stands by itself: ready in seconds, back after a kill, gone without a trace when stopped."""

import json
import os
import random
import signal
import socket
import stat
import subprocess
import sys
import time
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from urllib.error import URLError
from urllib.request import urlopen

import pytest

from membership.cli.supervisor import DEATHS, Child, Supervisor, TooManyDeaths

ROOT = Path(__file__).resolve().parents[2]
SECONDS = 60  # how long a busy machine may take for what takes a second or two


def free_port():
    """A port that is free, and the one after it too; below those that the system gives to outgoing connections."""
    while True:
        port = random.randrange(20_000, 32_000)
        with closing(socket.socket()) as first, closing(socket.socket()) as second, suppress(OSError):
            first.bind(("127.0.0.1", port))
            second.bind(("127.0.0.1", port + 1))
            return port


def eventually(look, seconds=SECONDS):
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        found = look()
        if found:
            return found
        time.sleep(0.05)
    return look()


def answers(url):
    try:
        with urlopen(url, timeout=2) as answer:
            return answer.status == 200
    except (URLError, OSError):
        return False


def of_instance(instance):
    """pid -> command line of every live process that was started for this instance folder."""
    mark = f"INSTANCE_PATH={instance}".encode()
    found = {}
    for path in Path("/proc").glob("[0-9]*"):
        try:
            if mark in (path / "environ").read_bytes() and "Z" not in (path / "stat").read_text().split()[2]:
                found[int(path.name)] = (path / "cmdline").read_bytes().decode().replace("\0", " ")
        except OSError:
            continue
    return found


@contextmanager
def demo(instance, port, **more):
    environment = {k: v for k, v in os.environ.items() if k not in ("MODE", "DATABASE_URL")}
    environment |= {"INSTANCE_PATH": str(instance), "PORT": str(port), "FLASK_APP": "wsgi.py", **more}
    command = [sys.executable, "-m", "flask", "demo"]
    log = (instance.parent / f"demo-{port}.log").open("w+")
    process = subprocess.Popen(command, cwd=ROOT, env=environment, stdout=log, stderr=subprocess.STDOUT)
    process.said = lambda: Path(log.name).read_text()
    try:
        yield process
    finally:
        process.kill()
        process.wait()
        for pid in of_instance(instance):
            os.kill(pid, signal.SIGKILL)
        log.close()


def ready(process, port):
    line = f"Ready: http://127.0.0.1:{port}"
    return eventually(lambda: any(said.startswith(line) for said in process.said().splitlines()))


@pytest.mark.skipif(not Path("/proc/self/environ").exists(), reason="looks processes up in /proc")
def test_the_demo_is_ready_comes_back_and_goes(tmp_path):
    instance, port = tmp_path / "instance", free_port()
    with demo(instance, port) as process:
        assert ready(process, port), (process.said(), of_instance(instance))
        assert answers(f"http://127.0.0.1:{port}/readyz")
        assert stat.S_IMODE((instance / "demo.env").stat().st_mode) == 0o600
        about = json.loads((instance / "demo.json").read_text())
        assert about["base_url"] == f"http://127.0.0.1:{port}"
        for part, url in (
            ("granian", f"http://127.0.0.1:{port}/readyz"),
            ("sandbox", f"http://127.0.0.1:{port + 1}/healthz"),
            ("flask work", None),
        ):
            killed(instance, part, url)
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=SECONDS) == 0
        assert of_instance(instance) == {}
        assert not answers(f"http://127.0.0.1:{port}/readyz")
    before = (instance / "demo.env").read_text()
    other = tmp_path / "other.sqlite"  # a database that is not the demo's
    with demo(
        instance, port, DATABASE_URL=f"sqlite:///{other}"
    ) as process:  # a second start keeps keys and data
        assert ready(process, port), process.said()
        assert (instance / "demo.env").read_text() == before
        assert not other.exists()
        process.send_signal(signal.SIGINT)
        assert process.wait(timeout=SECONDS) == 0
        assert of_instance(instance) == {}


def killed(instance, part, url):
    """Kill the leader of one part the hard way: another process stands in its place."""
    pids = {pid for pid, command in of_instance(instance).items() if part in command}
    assert pids, f"no process is called {part}"
    os.kill(min(pids), signal.SIGKILL)

    def back():
        now = {pid for pid, command in of_instance(instance).items() if part in command}
        return now and min(pids) not in now and (url is None or answers(url))

    assert eventually(back), f"{part} did not come back"


def test_a_busy_port_is_a_sentence(tmp_path):
    with closing(socket.socket()) as busy:
        busy.bind(("127.0.0.1", 0))
        busy.listen()
        port = busy.getsockname()[1]
        with demo(tmp_path / "instance", port) as process:
            assert process.wait(timeout=SECONDS) == 1
            assert f"Port {port} is in use" in process.said()
            assert "Traceback" not in process.said()


def test_what_keeps_dying_stops_everything(monkeypatch):
    monkeypatch.setattr(signal, "signal", lambda *_: None)  # pytest keeps its own Ctrl-C
    dies = Child("thing", (sys.executable, "-c", "pass"), os.environ, str(ROOT))
    lives = Child("other", (sys.executable, "-c", "import time; time.sleep(60)"), os.environ, str(ROOT))
    with pytest.raises(TooManyDeaths, match="The thing keeps dying"):
        Supervisor([lives, dies]).run(lambda: None)
    assert lives.is_dead()
    assert DEATHS == 10
