"""What every page owes its readers: nothing axe finds, no sideways scroll, few bytes, keys alone are enough."""

import re

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import expect

from tests.browser import walks
from tests.browser.demo import FORM, SLUG, eventually
from tests.browser.visitor import PAYING, click, pays

MOST_BYTES = 14 * 1024
AXE = Axe().axe_script
SEEN = ["color-contrast", "target-size", "link-in-text-block", "scrollable-region-focusable"]
"""Rules whose answer changes with the width and the colours."""
NARROW, PHONE, DESK = ({"width": width, "height": 900} for width in (320, 360, 1280))
LOOKS = (("light", DESK), ("dark", DESK), ("dark", PHONE))
ONE_LOOK = (("dark", DESK),)  # for pages on the way, built of what the others are built of


class Inspector:
    """Stands beside a visitor and looks at each page: axe in both widths and both colour schemes, 320 px, the bytes."""

    def __init__(self, visitor, weighs=(), looks=LOOKS):
        self.visitor, self.weighs, self.looks, self.found, self.sizes = visitor, weighs, looks, [], {}
        visitor.tab.emulate_media(
            reduced_motion="reduce"
        )  # colours on their way to others are nobody's colours
        cdp = visitor.context.new_cdp_session(visitor.tab)
        cdp.on("Network.requestWillBeSent", lambda sent: self.sizes.setdefault(sent["requestId"]))
        cdp.on(
            "Network.loadingFinished",
            lambda done: self.sizes.update({done["requestId"]: done["encodedDataLength"]}),
        )
        cdp.send("Network.enable")
        cdp.send("Network.setCacheDisabled", {"cacheDisabled": True})  # every visit is the first

    def axe(self, name, rules=None):
        options = {"resultTypes": ["violations"]} | (
            {"runOnly": {"type": "rule", "values": rules}} if rules else {}
        )
        found = self.visitor.tab.evaluate(
            "options => axe.run(document, options).then(found => found.violations.map(fault => "
            "`${fault.id}: ${fault.help} ${fault.nodes.map(node => node.target.join(' ')).join(', ')}`))",
            options,
        )
        self.found += [f"{name}: {fault}" for fault in found]

    def weight(self):
        """What was transferred since the last page that was looked at, headers included."""
        wait = self.visitor.tab.wait_for_timeout
        assert eventually(lambda: wait(5) or None not in (self.sizes or {"": None}).values()), self.sizes
        return sum(self.sizes.values())

    def __call__(self, name):
        tab = self.visitor.tab
        if name in self.weighs and (weight := self.weight()) > MOST_BYTES:
            self.found.append(f"{name}: a first visit transfers {weight} bytes")
        tab.evaluate(AXE)
        self.axe(f"{name} 360 light")
        for scheme, size in self.looks:
            tab.emulate_media(color_scheme=scheme)
            tab.set_viewport_size(size)
            self.axe(f"{name} {size['width']} {scheme}", SEEN)
        tab.emulate_media(color_scheme="light")
        tab.set_viewport_size(NARROW)
        wide = tab.evaluate("() => document.documentElement.scrollWidth")
        if wide > NARROW["width"]:
            self.found.append(f"{name}: scrolls sideways at 320 px, it is {wide} px wide")
        tab.set_viewport_size(PHONE)
        self.sizes = {}


def inspected(visitor, walk, *, weighs=(), looks=LOOKS, **more):
    inspector = Inspector(visitor, weighs, looks)
    result = walk(visitor, inspector, **more)
    assert inspector.found == []
    return result


@pytest.mark.parametrize(("prefix", "looks"), [("", LOOKS), ("/ka", ())], ids=["en", "ka"])
def test_pages_for_all(visit, prefix, looks):
    """The Georgian ones have the same colours and columns; what is asked of them is the rest."""
    inspected(visit(), walks.reading, prefix=prefix, looks=looks, weighs=walks.PLAIN)


@pytest.mark.parametrize(
    "walk", [walks.erring, walks.waiting, walks.expiring, walks.transferring, walks.leaving]
)
def test_pages_on_the_way(visit, walk):
    inspected(visit(), walk, looks=ONE_LOOK)


def test_pages_of_a_gift(visit):
    reference = inspected(visit(), walks.giving, looks=ONE_LOOK)
    inspected(visit(), walks.other_browser, reference=reference, looks=ONE_LOOK)


@pytest.mark.parametrize(
    ("path", "mistakes"),
    [
        (FORM, {"email": "ana.example.org", "other_amount": "1,000"}),
        (f"/fundraisers/{SLUG}/transfer", {"email": "", "amount": "much"}),
        ("/leave", {"email": "ana@"}),
    ],
    ids=["give", "transfer", "leave"],
)
def test_the_summary_of_errors_has_the_focus(visit, js, path, mistakes):
    visitor = visit(js=js)
    visitor.opens(path)
    for name, text in mistakes.items():
        visitor.tab.locator(f"#{name}").fill(text)
    walks.sent_with_errors(visitor)
    expect(visitor.tab).to_have_title(re.compile("^Error: "))
    expect(visitor.tab.locator("#errors")).to_be_focused()
    for name, text in mistakes.items():
        expect(visitor.tab.locator(f"#{name}")).to_have_value(text)
        expect(visitor.tab.locator(f"#{name}")).to_have_attribute("aria-invalid", "true")
        expect(visitor.tab.locator(f"#{name}-wrong")).to_be_visible()
    first = visitor.tab.locator("#errors a").first
    target = first.get_attribute("href")
    visitor.tab.keyboard.press("Tab")
    expect(first).to_be_focused()
    visitor.tab.keyboard.press("Enter")
    expect(visitor.tab.locator(target)).to_be_focused()


def tab_to(visitor, selector):
    """Press Tab until this has the focus. Whatever is passed on the way shows that it has it."""
    for _ in range(40):
        visitor.tab.keyboard.press("Tab")
        here = visitor.tab.evaluate(
            """(wanted) => {
              const here = document.activeElement;
              if (!here || here === document.body) return {found: false, ring: 'page'};
              const label = here.id ? document.querySelector(`label[for='${here.id}']`) : null;
              const ring = [here, label].some((one) => one && getComputedStyle(one).outlineStyle !== 'none'
                && parseFloat(getComputedStyle(one).outlineWidth) >= 2);
              return {found: here.matches(wanted), ring, what: here.outerHTML.slice(0, 90)};
            }""",
            selector,
        )
        assert here["ring"], f"no visible focus on {here['what']}"
        if here["found"]:
            return
    pytest.fail(f"Tab does not lead to {selector}")


def test_keys_alone_are_enough(visit, demo, email, js):
    visitor = visit(js=js, viewport=DESK)
    keys = visitor.opens(FORM).keyboard
    tab_to(visitor, "a.skip")
    tab_to(visitor, "input[name=interval]")
    keys.press("ArrowRight")
    expect(visitor.tab.locator("input[name=interval][value=month]")).to_be_checked()
    tab_to(visitor, "input[name=amount]")
    keys.press("ArrowUp")
    chosen = visitor.tab.locator("input[name=amount]:checked").get_attribute("value")
    tab_to(visitor, "input[name=covers_fee]")
    keys.press("Space")
    tab_to(visitor, "#email")
    keys.type(email)
    tab_to(visitor, "#name")
    keys.type("Ana")
    tab_to(visitor, "button.go")
    demo.time_passes(seconds=4)
    keys.press("Enter")
    visitor.tab.wait_for_url(PAYING)
    for name, text in (("name", "Ana"), ("card_number", "4242424242424242"), ("exp", "1234"), ("cvc", "123")):
        tab_to(visitor, f"#{name}")
        keys.type(text)
    keys.press("Enter")
    reference = visitor.is_thanked()
    given = demo.rows(
        "SELECT interval, amount_minor, covers_fee FROM donations WHERE reference = ?", reference
    )
    assert given == [("month", int(chosen) * 100, 1)]


def test_nothing_typed_is_lost_by_going_back(visit, js):
    visitor = visit(js=js)
    visitor.opens(FORM)
    visitor.fills()
    visitor.tab.locator("input[name=covers_fee]").check()
    if not js:  # Chromium notes what was typed once a second, and at once when our script says so
        visitor.tab.wait_for_timeout(3000)
    visitor.presses()
    visitor.is_at_stripe()
    visitor.tab.go_back()
    expect(visitor.tab.locator("#email")).to_have_value(visitor.email)
    expect(visitor.tab.locator("input[name=covers_fee]")).to_be_checked()
    click(visitor)
    visitor.finishes(pays(visitor))
    visitor.is_thanked()
    assert visitor.demo.state(visitor.email)["sessions"] == 1
