"""kill -9 between the payment and the receipt: whichever process it meets, nothing is lost and nothing done twice."""

import pytest

from tests.browser.demo import FORM, PARTS
from tests.browser.visitor import pays


def paid_and_unheard(ana):
    """Somebody has paid and closed the browser; the pretend Stripe holds back what it has to say."""
    ana.opens(FORM)
    ana.fills()
    ana.presses()
    return ana.finishes_and_is_gone(pays(ana))


def books_agree(demo):
    """Our payments and our Stripe account with what the pretend Stripe has in all; what gifts raised and the shares
    of it with the payments of gifts."""
    there = demo.state()
    paid = demo.rows("SELECT count(*), sum(amount_minor) FROM payments WHERE status = 'succeeded'")[0]
    gifts = demo.rows(
        "SELECT sum(amount_minor), sum(net_minor) FROM payments "
        "WHERE status = 'succeeded' AND donation_id IS NOT NULL AND NOT held"
    )[0]
    raised = demo.rows("SELECT sum(raised_minor) FROM fundraisers")[0][0]
    shared = demo.balance("share:*") + demo.balance("host-share:*")
    ours = (*paid, demo.balance("stripe"), raised, -shared)
    theirs = (there["charges"], there["charged"], there["balance"], *gifts)
    return ours == theirs, (ours, theirs)


def nothing_lost(demo, email, reference):
    demo.mails_after_a_while(email)
    assert demo.comes_true(demo.is_quiet)
    assert demo.payments_of(reference) == [("succeeded", 2000, 1945)]
    there = demo.state(email)
    assert (there["sessions"], there["charges"], there["charged"]) == (1, 1, 2000)
    assert len(demo.mails(email)) == 1


@pytest.mark.parametrize("part", PARTS)
def test_killed_between_payment_and_receipt(visit, demo, email, part):
    with demo.webhooks("hold"):  # before anything is heard
        reference = paid_and_unheard(visit(js=False))
        killed = demo.kill(part)
        assert demo.is_back(part, killed), demo.log.read_text()
    demo.control("webhooks/release")
    nothing_lost(demo, email, reference)
    other = f"other-{email}"
    with demo.webhooks("hold"):  # in the middle of it
        reference = paid_and_unheard(visit(js=False, email=other))
    demo.control("webhooks/release")
    killed = demo.kill(part)
    assert demo.is_back(part, killed), demo.log.read_text()
    nothing_lost(demo, other, reference)
    demo.time_passes(seconds=601)  # what earlier tests let drop is found by asking
    assert demo.comes_true(lambda: books_agree(demo)[0]), books_agree(demo)[1]
    checked = demo.flask("ledger", "check")
    assert checked.returncode == 0, checked.stdout + checked.stderr
