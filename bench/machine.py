"""Where a run took place: the machine, what else it did, and the versions that were measured."""

import os
import platform
import sqlite3
import subprocess
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import Any

PACKAGES = ("Flask", "Werkzeug", "Jinja2", "WTForms", "SQLAlchemy", "psycopg", "stripe", "granian", "PyNaCl")


def facts(folder: Path) -> dict[str, Any]:
    """The machine's facts; nothing of it names the machine or its user."""
    return {
        "processor": _line("/proc/cpuinfo", "model name"),
        "cores": len(os.sched_getaffinity(0)),
        "memory_mb": int((_line("/proc/meminfo", "MemTotal") or "0").split()[0]) // 1024,
        "system": f"{platform.system()} {platform.release()}",
        "file_system": _said("stat", "--file-system", "--format=%T", str(folder)),
        "load_before": os.getloadavg()[0],
    }


def versions() -> dict[str, str]:
    """Python, SQLite and the libraries that do the work."""
    return {
        "Python": platform.python_version(),
        "SQLite": sqlite3.sqlite_version,
        **{name: metadata.version(name) for name in PACKAGES},
        "commit": _said("git", "rev-parse", "--short", "HEAD"),
    }


def now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")


def _line(path: str, name: str) -> str:
    for line in Path(path).read_text().splitlines():
        if line.startswith(name):
            return line.partition(":")[2].strip()
    return ""


def _said(*command: str) -> str:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return done.stdout.strip() if done.returncode == 0 else ""
