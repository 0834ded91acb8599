"""Every address and who may come there, in one table; every role tried at every address of the desk.

A new address fails here until somebody has written down who it is for.
"""

import re

import pytest
from flask import Flask

from membership.db import db
from membership.domain.roles import ABILITIES, Ability, Role
from membership.web import BLUEPRINTS
from tests import make
from tests.journeys.donor import settle
from tests.journeys.joiner import Joiner
from tests.signed_in import as_member, as_staff

ALL = frozenset(Role)
ADMIN = frozenset({Role.ADMIN})
HELPERS = frozenset({Role.SUPPORT, Role.ADMIN})
TREASURERS = frozenset({Role.TREASURER, Role.ADMIN})

EVERYBODY = {
    "/", "/give", "/join", "/embed/banner", "/fundraisers/<slug>", "/demo/article", "/demo/mailbox",
    "/<any(imprint, privacy, terms, contact):name>", "/assets/<stamp>/<name>", "/healthz", "/readyz",
    "/robots.txt", "/.well-known/security.txt", "POST /hooks/stripe", "/join/<slug>", "POST /join/<slug>",
    "/fundraisers/<slug>/give", "POST /fundraisers/<slug>/give", "/fundraisers/<slug>/transfer",
    "POST /fundraisers/<slug>/transfer", "/thanks/<reference>", "/leave", "POST /leave", "/leave/<token>",
    "POST /leave/<token>", "/withdraw", "POST /withdraw", "/withdraw/<token>", "POST /withdraw/<token>",
    "/account/keep-email/<token>", "POST /account/keep-email/<token>", "/sign-in", "POST /sign-in",
    "/sign-in/<token>", "POST /sign-in/<token>", "POST /sign-out",
}  # fmt: skip

SIGNED_IN = {
    "/account", "/account/card", "POST /account/card", "/account/card/done", "/account/gifts",
    "/account/gifts/<reference>", "POST /account/gifts/<reference>", "POST /account/go-on", "POST /account/keep",
    "/account/language", "POST /account/language", "/account/leave", "POST /account/leave", "/account/pause",
    "POST /account/pause", "/account/plan", "POST /account/plan", "/account/receipts",
    "/account/receipts/<reference>", "POST /account/receipts/<reference>", "POST /account/return",
    "/account/sessions", "POST /account/sessions", "/account/withdraw", "POST /account/withdraw",
    "/account/perks/<slug>", "POST /account/perks/<slug>", "/account/perks/<slug>/file",
}  # fmt: skip

DOORS = {
    "/staff/enrol",
    "/staff/enrol/<token>",
    "POST /staff/enrol/<token>",
    "/staff/factor",
    "POST /staff/factor",
}
"""Where a second factor is set up and shown: for whoever is signed in by mail."""

DESK = {
    "/staff/": ALL,
    "/staff/people": ALL,
    "POST /staff/people": ALL,
    "POST /staff/people/export": TREASURERS,
    "/staff/people/<reference>": ALL,
    "POST /staff/people/<reference>/note": HELPERS,
    "POST /staff/people/<reference>/label": HELPERS,
    "POST /staff/people/<reference>/send": HELPERS,
    "POST /staff/people/<reference>/arrives": HELPERS,
    "POST /staff/people/<reference>/address": HELPERS,
    "POST /staff/people/<reference>/correct": HELPERS,
    "POST /staff/people/<reference>/extend": HELPERS,
    "POST /staff/people/<reference>/grant": HELPERS,
    "POST /staff/people/<reference>/end": HELPERS,
    "POST /staff/people/<reference>/keep": HELPERS,
    "POST /staff/people/<reference>/double": TREASURERS,
    "POST /staff/people/<reference>/stop": HELPERS,
    "POST /staff/people/<reference>/refund": TREASURERS,
    "POST /staff/people/<reference>/decide": TREASURERS,
    "POST /staff/people/<reference>/export": ADMIN,
    "POST /staff/people/<reference>/erase": ADMIN,
    "/staff/payments": ALL,
    "POST /staff/payments/<reference>": TREASURERS,
    "/staff/refunds": TREASURERS,
    "POST /staff/refunds/<reference>": TREASURERS,
    "/staff/review": TREASURERS,
    "POST /staff/review/<reference>": TREASURERS,
    "/staff/events": frozenset({Role.TREASURER, Role.AUDITOR, Role.ADMIN}),
    "POST /staff/events": ADMIN,
    "/staff/audit": frozenset({Role.AUDITOR, Role.ADMIN}),
    "/staff/setup": ADMIN,
    "POST /staff/setup": ADMIN,
}


def addresses(app: Flask) -> set[str]:
    return {
        rule.rule if method == "GET" else f"{method} {rule.rule}"
        for rule in app.url_map.iter_rules()
        for method in rule.methods - {"HEAD", "OPTIONS"}
    }


def ask(client, address: str, reference: str = "nobody"):
    """Ask for an address; what stands in angle brackets is filled in."""
    method, _, path = address.rpartition(" ")
    path = re.sub(r"<reference>", reference, path)
    return client.open(re.sub(r"<[^>]+>", "editors-letter", path), method=method or "GET")


def test_every_address_stands_in_the_table(app):
    assert addresses(app) == EVERYBODY | SIGNED_IN | DOORS | DESK.keys()
    assert len(EVERYBODY) + len(SIGNED_IN) + len(DOORS) + len(DESK) == len(addresses(app))


def test_above_whatever_only_takes_a_form_there_is_a_page(app):
    """After a refusal the language switch leads there."""
    shown = {address.rpartition(" ")[2] for address in addresses(app) if not address.startswith("POST ")}
    only_posted = addresses(app) - shown - {f"POST {page}" for page in shown} - {"POST /hooks/stripe"}
    assert {address[5:].rpartition("/")[0] or "/" for address in only_posted} <= shown


def test_every_blueprint_has_a_guard(app):
    assert set(app.blueprints) == {bp.name for bp, _guard in BLUEPRINTS}


def test_every_page_of_the_desk_names_its_ability_and_some_role_has_it(app):
    views = {rule.endpoint for rule in app.url_map.iter_rules() if rule.endpoint.startswith("staff.")}
    named = {getattr(app.view_functions[endpoint], "ability", None) for endpoint in views}
    assert named <= set(Ability)
    assert all(any(ability in abilities for abilities in ABILITIES.values()) for ability in named)


@pytest.mark.parametrize("role", list(Role))
def test_a_role_enters_where_the_table_says_and_nowhere_else(app, client, role):
    reader = make.person()
    as_staff(client, role)
    db.session.commit()
    answers = {address: ask(client, address, reader.reference).status_code for address in DESK}
    entered = {address for address, status in answers.items() if status != 403}
    assert entered == {address for address, may in DESK.items() if role in may}
    assert {status for status in answers.values() if status >= 500} == set()


def test_strangers_are_led_to_the_door_and_learn_nothing(app, client):
    reader = make.person()
    db.session.commit()
    for address in sorted(
        SIGNED_IN | DESK.keys() | DOORS - {"/staff/enrol"}
    ):  # that one is nowhere without its link
        answer = ask(client, address, reader.reference)
        assert answer.status_code == 303, address
        assert answer.location.startswith("/sign-in"), address
        assert "Ana" not in answer.text, address


def test_members_do_not_enter_the_desk(app, client):
    as_member(client, make.person())
    assert {ask(client, address).status_code for address in DESK} == {403}


def test_a_strangers_crawl_of_all_links_finds_nothing_behind_a_login(app, stripe, client):
    make.fundraiser()
    make.plan("friend", perks=("letters",))
    db.session.commit()
    Joiner(stripe).joins()
    settle(stripe)
    seen, waiting = set(), ["/"]
    while waiting:
        path = waiting.pop()
        if path in seen or path.startswith("/demo/mailbox"):  # the demo's own mails, which nobody else has
            continue
        seen.add(path)
        answer = client.get(path)
        assert answer.status_code in (200, 302, 303, 304, 308), path
        if answer.status_code == 303:
            assert answer.location.removeprefix("/ka").startswith("/sign-in"), path
        assert "Body of" not in answer.text, path
        found = re.findall(r'(?:href|src|action)="(/[^"#]*)', answer.text)
        waiting += [one.replace("&amp;", "&") for one in found if not one.startswith("/assets/")]
    assert len(seen) > 20
    assert any(path.startswith("/account") for path in seen)
