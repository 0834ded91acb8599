"""Who the journeys of members are about."""

import pytest

from membership.db import db
from tests import make
from tests.journeys.joiner import Joiner


@pytest.fixture
def ana(app, stripe):
    """Somebody before two plans, friend and patron, which is three times as much and has a perk more."""
    make.the_newsroom()
    make.plan("friend", perks=("letters",))
    make.plan("patron", prices={"month": "15", "year": "150"}, perks=("letters", "talks"))
    db.session.commit()
    return Joiner(stripe)
