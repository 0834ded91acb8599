"""What goes to the log: keys of Stripe never, in no part of a record."""

import logging

import pytest


@pytest.mark.parametrize("secret", ["sk_live_51AbC", "rk_test_51AbC", "whsec_51AbC+C/9="])
def test_no_key_of_stripe_reaches_the_log(app, caplog, secret):
    logging.getLogger("a.library").warning("asked with %s", {"key": secret})
    app.logger.warning("asked with " + secret)  # noqa: G003 - as some libraries do
    try:
        int(secret)
    except ValueError:
        app.logger.exception("not asked")
    said = "\n".join(logging.Formatter().format(record) for record in caplog.records)
    assert "51AbC" not in said
    assert said.count(secret.partition("51AbC")[0] + "...") == 3
    assert "ValueError: invalid literal" in said
