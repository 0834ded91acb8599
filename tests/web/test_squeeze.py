"""Pages with tokens on their way: each form of a page gets them, squeezed or not."""

import gzip

from membership.web.squeeze import MARK, Sheet

PAGE = f"<form>{MARK}one</form>" + "words " * 200 + f"<form>{MARK}two</form>"


def test_every_form_of_a_page_gets_the_tokens(app):
    token = "<input value=secret>"
    with app.test_request_context(headers={"Accept-Encoding": "gzip"}):
        squeezed = Sheet(PAGE).response(token)
    with app.test_request_context():
        plain = Sheet(PAGE).response(token)
    assert plain.get_data(as_text=True) == PAGE.replace(MARK, token)
    assert gzip.decompress(squeezed.data) == plain.data
    assert squeezed.data.count(token.encode()) == 2, "the tokens stand uncompressed"
