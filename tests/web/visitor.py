"""A visitor of our pages for tests: reads a form long enough, fills it in, presses."""

from datetime import timedelta
from xml.etree.ElementTree import Element

from membership import clock
from tests.reader import Reader

FORM = "/fundraisers/small-newsrooms/give"
GOOD = {"interval": "once", "amount": "20", "currency": "EUR", "email": "ana@example.org", "name": "Ana"}


def tokens(client: Reader, path: str = FORM) -> dict[str, str]:
    """Open a form and stay on it for a minute: what its hidden fields say."""
    assert client.get(path).status_code == 200
    found = {
        c.get("name", ""): c.get("value", "") for c in client.page.iter("input") if c.get("type") == "hidden"
    }
    wait(60)
    return found


def wait(seconds: float) -> None:
    """Time passes."""
    moment = clock.now() + timedelta(seconds=seconds)
    clock.use(lambda: moment)


def press(client: Reader, path: str = FORM, **fields: str | None):
    """Send a good gift, but for these fields; None leaves one out."""
    told = tokens(client, path) | GOOD | fields
    return client.post(path, data={name: value for name, value in told.items() if value is not None})


def control(client: Reader, name: str) -> Element:
    """The first control of this name on the last page; of radios and boxes the one that is on."""
    assert client.page is not None
    found = [
        e for e in client.page.iter() if e.tag in ("input", "select", "textarea") and e.get("name") == name
    ]
    on = [e for e in found if e.get("checked") is not None]
    return (on or found)[0]


def value(client: Reader, name: str) -> str | None:
    """What a field of the last page holds."""
    element = control(client, name)
    if element.tag == "textarea":
        return element.text
    if element.tag == "select":
        return next((o.get("value") for o in element.iter("option") if o.get("selected") is not None), "")
    if element.get("type") in ("radio", "checkbox") and element.get("checked") is None:
        return None
    return element.get("value")


def beside(client: Reader, name: str) -> str:
    """The sentence that is said about a field, found the way a screen reader finds it."""
    element = control(client, name)
    assert element.get("aria-invalid") == "true", f"{name} is not marked as wrong"
    ids = (element.get("aria-describedby") or "").split()
    return " ".join("".join(e.itertext()) for e in client.page.iter() if e.get("id") in ids)


def title(client: Reader) -> str:
    return (client.page.findtext("head/title") or "").strip()


def text(client: Reader) -> str:
    return " ".join("".join(next(client.page.iter("main")).itertext()).split())
