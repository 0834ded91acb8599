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
