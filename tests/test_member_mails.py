"""What members read: each mail says what happened, what follows and how to stop, and nothing that is not so."""

import pytest
from flask import current_app

from membership.mail import letter
from tests.letters import HERE, LEAVE, MAILS

pytestmark = pytest.mark.usefixtures("app")

HOSTILE = "<script>alert(1)</script>\r\nBcc: x@example.org\n\n\u202eevil\u2066\u2028{{ 7*7 }}"
SPEAKS_OF = ("name", "plan", "other_plan", "what", "fundraiser_title", "title")


def rendered(template, locale="en", **more):
    return letter.render(template, locale, MAILS[template] | more, current_app.config["SETTINGS"])


def spoilt(told):
    """The same context with everything that somebody may have typed turned hostile."""
    if isinstance(told, dict):
        return {key: HOSTILE if key in SPEAKS_OF else spoilt(value) for key, value in told.items()}
    return [spoilt(one) for one in told] if isinstance(told, list) else told


@pytest.mark.parametrize("locale", ["en", "ka"])
@pytest.mark.parametrize("template", MAILS)
def test_a_hostile_name_stays_one_line_of_text(template, locale):
    made = letter.render(template, locale, spoilt(MAILS[template]), current_app.config["SETTINGS"])
    whole = made.subject + made.text + made.html
    assert "<script" not in made.html
    assert not any(mark in whole for mark in "\u202e\u2066\u2028\r")
    assert not any(line.startswith("Bcc") for line in made.text.splitlines())
    assert "49" not in made.text
    assert "script" not in made.subject


@pytest.mark.parametrize("template", MAILS)
def test_words_stay_calm(template):
    made = rendered(template)
    said = (made.subject + made.text).partition("Questions")[0].lower()
    assert "!" not in said
    for loud in (
        "unfortunately",
        "urgent",
        "sorry to see",
        "failed to pay",
        "immediately",
        "last chance",
        "your fault",
    ):
        assert loud not in said
    assert "You get this message because" in made.text


@pytest.mark.parametrize(
    ("which", "more", "says", "silent"),
    [("first", {}, "did not go through", "last time"),
     ("again", {"attempt": 2}, "once more", "last time"),
     ("last", {"attempt": 4, "tries_again_on": None, "pay_url": None}, "one last time", "We try again on")],
)  # fmt: skip
def test_a_failed_payment_says_what_follows(which, more, says, silent):
    text = rendered("payment-failed", which=which, **more).text
    assert says in text
    assert silent not in text
    assert "nothing was charged" in text
    assert "Open for you until: 15 March 2026" in text
    way = "Join again" if which == "last" else "Change the card"
    assert f"{way}: {HERE}/account/card" in text
    assert (LEAVE in text) == (which != "last")
    assert ("Pay on the page of Stripe" in text) == (which != "last")


def test_a_first_payment_that_failed_says_that_nothing_has_begun():
    none = dict.fromkeys(("tries_again_on", "perks_until", "pay_url", "leave_url"))
    text = rendered("payment-failed", which="begin", **none).text
    assert "it has not begun, and nothing was charged" in text
    assert f"Try once more: {HERE}/account/card" in text
    assert "is running" not in text
    assert "Leave" not in text


@pytest.mark.parametrize(
    ("reason", "says"),
    [("member", "You left"), ("withdrawn", "You have withdrawn"), ("failed", "could not be made"),
     ("double", "second one"), ("replaced", "a newer one"), ("over", "is over"), ("staff", "The membership below has ended")],
)  # fmt: skip
def test_an_end_says_why_and_what_came_back(reason, says):
    text = rendered("membership-ended", reason=reason).text
    assert says in text
    assert "Given back: €20" in text
    has_another = reason in ("double", "replaced")
    assert (
        "Nothing more will be charged for it." if has_another else "Nothing more will be charged."
    ) in text
    assert ("/join" in text) != has_another
    assert "Given back" not in rendered("membership-ended", reason=reason, refunded=None).text


def test_a_welcome_says_what_was_bought_and_how_to_get_out_of_it():
    text = rendered("membership-welcome").text
    assert "Amount: €20\nHow often: every month\nNext payment: 1 April 2026\n" in text
    assert "- The <weekly> letter\n- Meetings & talks\n" in text
    assert "until 15 March 2026" in text
    assert f"{HERE}/withdraw?m=1" in text
    assert LEAVE in text


def test_a_welcome_where_nothing_is_charged_asks_for_nothing():
    gone = dict.fromkeys(("withdraw_url", "withdraw_until", "leave_url", "interval", "next_on", "amount"))
    text = rendered("membership-welcome", **gone, ends_on="2027-03-01").text
    assert "Open until: 1 March 2027" in text
    assert "Nothing is charged for it." in text
    assert not any(word in text for word in ("Amount", "How often", "Next payment", "withdraw", "Leave"))


def test_a_member_receipt_says_what_it_is_for():
    text = rendered("membership-receipt").text
    assert "Paid on: 1 March 2026\nCovers the time until: 1 April 2026\nNext payment: 1 April 2026\n" in text
    assert "It is not a tax receipt." in text
    assert "tax receipt" not in rendered("membership-receipt", tax_note=False).text
    assert "in order again" in rendered("payment-recovered").text


def test_days_of_members_are_written_as_each_language_does():
    assert "3 December" in rendered("membership-leaving").subject
    assert "3 დეკემბერი" in rendered("membership-renews-soon", "ka").subject
    assert "15 მარტი" in rendered("payment-failed", "ka").text


def test_a_sign_in_mail_warns_staff_of_who_asks_for_codes():
    assert "417 203\n" in rendered("sign-in").text
    assert "good for 10 minutes" in rendered("sign-in").text
    assert "second factor" not in rendered("sign-in").text
    assert "second factor" in rendered("sign-in", is_staff=True).text


def test_a_refund_that_failed_says_so():
    assert "have given the money below back" in rendered("refund-notice").text
    late = rendered("refund-notice", status="too-late").text
    assert "when your membership had ended" in late
    assert "bank statement" in late
    failed = rendered("refund-notice", status="failed").text
    assert "did not take it" in failed
    assert "have given" not in failed
    transferred = rendered("refund-notice", status="transferred").text
    assert "by bank transfer instead" in transferred
    assert "bank statement" not in failed + transferred


def test_ways_out_that_lead_nowhere_say_so():
    assert "nothing to stop" in rendered("leave-confirmation", links=[], memberships=[]).text
    assert "no membership" not in rendered("leave-confirmation", links=[]).text
    assert "Guest" in rendered("leave-confirmation", links=[]).text
    assert "none to withdraw from" in rendered("withdraw-link", links=[]).text
    assert "none to withdraw from" not in rendered("withdraw-link").text


def test_the_owner_is_told_how_a_second_membership_ends():
    text = rendered("someone-joined-with-your-address").text
    assert (
        "Membership you have: Reader & friend\nThe second one: Patron\nThe second one ends on: 4 March 2026\n"
        in text
    )
    assert "give back everything" in text
    late = rendered("someone-joined-with-your-address", gives_way=True).text
    assert "Decided on: 4 March 2026\n" in late
    assert "The second one ends on" not in late


def test_a_correction_is_told_to_the_old_address_with_the_way_to_stop_it():
    text = rendered("email-correction").text
    assert "New address: n…@e…e.org\nChanges on: 8 March 2026\n" in text
    assert f"{HERE}/keep/token" in text


def test_the_new_address_learns_how_to_sign_in_and_whom_to_tell_if_it_is_wrong():
    text = rendered("email-corrected").text
    assert f"Sign in: {HERE}/sign-in" in text
    assert "/contact" in text.partition("did not ask for this")[2].partition("You get this message")[0]
