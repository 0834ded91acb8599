"""kill -9 between the payment and the receipt: whichever process it meets, nothing is lost and nothing done twice."""

import pytest

from tests.browser.demo import FORM, PARTS
from tests.browser.visitor import pays


def paid_and_unheard(visit, demo):
    """Somebody has paid and closed the browser; the pretend Stripe holds back what it has to say."""
    ana = visit(js=False)
    ana.opens(FORM)
    ana.fills()
    ana.presses()
    return ana.finishes_and_is_gone(pays(ana))


def books_agree(demo):
    """Our ledger, our payments and the sum of the fundraiser with what the pretend Stripe has in all."""
    there = demo.state()
    shared = demo.balance("share:*") + demo.balance("host-share:*")
    paid = demo.rows("SELECT count(*), sum(amount_minor) FROM payments WHERE status = 'succeeded'")[0]
    raised = demo.rows("SELECT sum(raised_minor) FROM fundraisers")[0][0]
    ours = {"charges": paid[0], "charged": paid[1], "raised": raised, "balance": demo.balance("stripe")}
    theirs = {
        "charges": there["charges"],
        "charged": there["charged"],
        "raised": there["charged"],
        "balance": there["balance"],
    }
    return ours == theirs and shared == -there["balance"], (ours, theirs, shared)


def nothing_lost(demo, email, reference):
    assert len(demo.mails_after_a_while(email)) == 1
    assert demo.comes_true(lambda: books_agree(demo)[0]), books_agree(demo)[1]
    assert demo.payments_of(reference) == [("succeeded", 2000, 1945)]
    there = demo.state(email)
    assert (there["sessions"], there["charges"], there["charged"]) == (1, 1, 2000)
    assert len(demo.mails(email)) == 1
    checked = demo.flask("ledger", "check")
    assert checked.returncode == 0, checked.stdout + checked.stderr


@pytest.mark.parametrize("part", PARTS)
def test_killed_before_the_webhooks_come(visit, own_demo, email, part):
    with own_demo.webhooks("hold"):
        reference = paid_and_unheard(visit, own_demo)
        killed = own_demo.kill(part)
        assert own_demo.is_back(part, killed), own_demo.log.read_text()
        assert own_demo.mails(email) == []
    own_demo.control("webhooks/release")
    nothing_lost(own_demo, email, reference)


@pytest.mark.parametrize("part", PARTS)
def test_killed_while_the_webhooks_come(visit, own_demo, email, part):
    with own_demo.webhooks("hold"):
        reference = paid_and_unheard(visit, own_demo)
    own_demo.control("webhooks/release")
    killed = own_demo.kill(part)
    assert own_demo.is_back(part, killed), own_demo.log.read_text()
    nothing_lost(own_demo, email, reference)
