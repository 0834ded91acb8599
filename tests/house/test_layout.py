"""The shape of the house: sizes, names, layers, who commits, sentences that can be translated."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
HOUSE = sorted((ROOT / "membership").rglob("*.py"))
TESTS = sorted((ROOT / "tests").rglob("*.py"))
TREES = {file.relative_to(ROOT).as_posix(): ast.parse(file.read_text("utf-8")) for file in HOUSE}

NOT_A_NAME = {
    "utils",
    "util",
    "helpers",
    "helper",
    "common",
    "services",
    "service",
    "managers",
    "manager",
    "constants",
    "misc",
}
MAY_COMMIT = (
    "membership/web/",
    "membership/cli/",
    "membership/billing/",
    "membership/mail",
    "membership/sandbox/",
)
REFUSALS = {"DomainError", "NotFound", "NotAllowed", "Conflict", "Invalid", "BadAmount"}

# GET views that write, each because the reading itself must be on record.
AUDITED_GETS: set[str] = {"account/mine.py:refuse", "staff/person/page.py:person"}


def functions(tree):
    return [node for node in ast.walk(tree) if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef))]


def calls(tree, name):
    """Line numbers of `something.name(...)`."""
    found = [
        node for node in ast.walk(tree) if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)
    ]
    return [node.lineno for node in found if node.func.attr == name]


def test_files_stay_small():
    limits = [(file, 400) for file in HOUSE] + [(file, 600) for file in TESTS]
    sizes = [
        (file.relative_to(ROOT), len(file.read_text("utf-8").splitlines()), most) for file, most in limits
    ]
    assert [f"{file}: {lines} lines" for file, lines, most in sizes if lines > most] == []


def test_functions_stay_small():
    lengths = [(f, n.name, n.end_lineno - n.lineno + 1) for f, tree in TREES.items() for n in functions(tree)]
    assert [f"{file}: {name} has {lines} lines" for file, name, lines in lengths if lines > 40] == []


def test_names_say_what_lives_there():
    names = {part.removesuffix(".py") for file in HOUSE + TESTS for part in file.relative_to(ROOT).parts}
    assert names & NOT_A_NAME == set()


def test_every_file_says_what_lives_there():
    assert [file for file, tree in TREES.items() if not ast.get_docstring(tree)] == []


def test_layers_hold():
    lint_imports = Path(sys.executable).with_name("lint-imports")
    done = subprocess.run(
        [lint_imports, "--no-logo", "--no-cache"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_only_the_edges_commit():
    inside = {file: tree for file, tree in TREES.items() if not file.startswith(MAY_COMMIT)}
    assert [f"{file}:{line}" for file, tree in inside.items() for line in calls(tree, "commit")] == []


def test_gets_that_write_are_listed():
    """A view that only answers GET, or a refusal, commits nothing, except the few that must be on record."""
    writing = set()
    for file, tree in TREES.items():
        views = [
            node for node in functions(tree) if file.startswith("membership/web/") and answers_get_only(node)
        ]
        writing |= {
            f"{file.removeprefix('membership/web/')}:{node.name}" for node in views if calls(node, "commit")
        }
    assert writing == AUDITED_GETS


def answers_get_only(function):
    routes = [
        d for d in function.decorator_list if isinstance(d, ast.Call) and isinstance(d.func, ast.Attribute)
    ]
    verbs = {route.func.attr for route in routes} & {"get", "post", "route", "errorhandler"}
    return bool(verbs) and "post" not in verbs and not any("POST" in ast.unparse(route) for route in routes)


@pytest.mark.parametrize("room", ["domain", "billing", "web", "money", "vault"])
def test_refusals_can_be_translated(room):
    """A sentence for a human is marked with N_ where it is raised, so the catalogues have it."""
    bare = []
    for file, tree in TREES.items():
        raised = [
            n
            for n in ast.walk(tree)
            if isinstance(n, ast.Call) and getattr(n.func, "id", "") in REFUSALS and n.args
        ]
        if file.startswith((f"membership/{room}/", f"membership/{room}.py")):
            bare += [
                f"{file}:{n.lineno}" for n in raised if isinstance(n.args[0], (ast.Constant, ast.JoinedStr))
            ]
    assert bare == []


def test_heavy_libraries_stay_out_of_the_web_worker():
    heavy = "alembic", "authlib", "playwright", "flask_migrate", "membership.sandbox", "hypothesis"
    program = f"import sys, membership.app; print([name for name in {heavy!r} if name in sys.modules])"
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.stdout.strip() == "[]", done.stdout + done.stderr
