"""A gift that the desk looks at."""

import pytest

from membership.db import db
from membership.domain import payments, people
from tests import make
from tests.journeys.donor import Donor, settle


@pytest.fixture
def paid(app, stripe):
    """Ana gave €20 through the pages: her payment, and money at the pretend Stripe."""
    make.fundraiser()
    Donor(app, stripe).gives()
    settle(stripe)
    (payment,) = db.session.query(payments.Payment)
    return payment


@pytest.fixture
def giver(paid):
    return people.person_of(paid.person_id)
