"""Where rooms meet: each list in one room is matched by the things in another."""

import ast
import re
from pathlib import Path

from membership.billing import inbox
from membership.mail.contexts import CONTEXTS
from membership.web import BLUEPRINTS, guards

ROOT = Path(__file__).resolve().parents[2]
TEMPLATES = ROOT / "templates"
EMAILS = {path.name for path in (TEMPLATES / "email").iterdir() if not path.name.startswith("_")}


def strings_of(folder):
    """Every text in the code of a folder; a place to fill in an f-string stands as a `*`."""
    for file in sorted((ROOT / folder).rglob("*.py")):
        for node in ast.walk(ast.parse(file.read_text("utf-8"))):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                yield node.value
            elif isinstance(node, ast.JoinedStr):
                yield "".join(part.value if isinstance(part, ast.Constant) else "*" for part in node.values)


def test_every_blueprint_has_a_guard(app):
    listed = {blueprint.name: guard for blueprint, guard in BLUEPRINTS}
    assert set(listed) == set(app.blueprints)
    assert set(listed.values()) == set(guards.GUARDS), "a guard that nobody has, or one that is not there"


def test_every_page_belongs_to_a_blueprint(app):
    assert [rule.rule for rule in app.url_map.iter_rules() if "." not in rule.endpoint] == []


def test_every_handled_event_can_be_emitted_by_the_pretend_stripe():
    emitted = [
        re.compile(re.escape(text).replace(r"\*", "[a-z_]+"))
        for text in set(strings_of("membership/sandbox"))
    ]
    assert [kind for kind in inbox.HANDLED if not any(pattern.fullmatch(kind) for pattern in emitted)] == []


def test_every_email_has_its_three_parts():
    parts = {"subject.txt", "body.txt", "body.html"}
    assert {name: parts - {p.name for p in (TEMPLATES / "email" / name).iterdir()} for name in EMAILS} == {
        name: set() for name in EMAILS
    }


def test_every_email_is_told_what_it_says_and_is_sent_by_somebody():
    said = {
        *strings_of("membership/domain"),
        *strings_of("membership/billing"),
        *strings_of("membership/web"),
    }
    assert set(CONTEXTS) == EMAILS
    assert EMAILS - said == set(), "nobody sends these"


def test_every_template_is_shown_by_somebody():
    """Rendered by code, or extended, included or imported by another template."""
    files = [path for path in TEMPLATES.rglob("*") if path.is_file() and path.parent.name not in EMAILS]
    named = "\n".join(path.read_text("utf-8") for path in TEMPLATES.rglob("*") if path.is_file())
    named += "\n".join(strings_of("membership"))
    assert [str(path) for path in files if path.relative_to(TEMPLATES).as_posix() not in named] == []


def test_sandbox_pages_are_shown_by_somebody():
    folder = ROOT / "membership" / "sandbox" / "templates"
    named = "\n".join(
        [*strings_of("membership/sandbox"), *(path.read_text("utf-8") for path in folder.rglob("*.*"))]
    )
    assert [path.name for path in folder.rglob("*.*") if path.name not in named] == []
