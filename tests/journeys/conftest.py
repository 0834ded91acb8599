"""Who the journeys of members are about."""

import pytest

from membership.db import db
from membership.domain import people
from tests import make
from tests.journeys.joiner import Joiner
from tests.journeys.member import Member
from tests.signed_in import as_member


@pytest.fixture
def ana(app, stripe):
    """Somebody before two plans, friend and patron, which is three times as much and has a perk more."""
    make.the_newsroom()
    make.plan("friend", perks=("letters",))
    make.plan("patron", prices={"month": "15", "year": "150"}, perks=("letters", "talks"))
    db.session.commit()
    return Joiner(stripe)


@pytest.fixture
def reads(app, stripe):
    """What the owner reads on a page, signed in."""

    def opens(path):
        owner = Member(app, stripe)
        as_member(owner.ours, people.find_by_email(owner.email))
        return owner.opens(path)

    return opens
