"""The pages, by who reads them: the list of blueprints and the guard on each.

`register(app)` joins all of it to the app: guards and headers, languages, the one stylesheet, the page cache. It
needs `app.config["SETTINGS"]`. A blueprint that is not listed here answers 404.
"""

from pathlib import Path

from flask import Flask
from flask_babel import Babel
from werkzeug.middleware.proxy_fix import ProxyFix

from membership.config import Settings
from membership.web import (
    account,
    assets,
    demo,
    embed,
    give,
    guards,
    hooks,
    join,
    keep_email,
    leave,
    locales,
    machines,
    perks,
    public,
    refusals,
    sessions,
    sheets,
    sign_in,
    staff,
    style,
    thanks,
    transfer,
    view,
    withdraw,
)
from membership.web.pagecache import PageCache
from membership.web.staff import factor

BLUEPRINTS = (
    (public.bp, "readers"),
    (give.bp, "givers"),
    (join.bp, "givers"),
    (transfer.bp, "givers"),
    (thanks.bp, "givers-own"),
    (leave.bp, "leavers"),
    (keep_email.bp, "leavers"),
    (withdraw.bp, "leavers"),
    (account.bp, "members"),
    (perks.bp, "members"),
    (sign_in.bp, "signers"),
    (factor.bp, "signers"),
    (staff.bp, "staff"),
    (embed.bp, "embeds"),
    (demo.bp, "demo-readers"),
    (demo.mails, "demo"),
    (hooks.bp, "hooks"),
    (assets.bp, "assets"),
    (machines.bp, "machines"),
)

TRANSLATIONS = Path(__file__).resolve().parent.parent / "translations"
CACHE_SECONDS = 1.0
TOKEN_SECONDS = 6 * 3600  # how long a form may lie open before it asks to be pressed again


def register(app: Flask) -> None:
    """Join the pages to the app."""
    settings: Settings = app.config["SETTINGS"]
    stylesheet = style.load()
    app.url_map.merge_slashes = False  # the redirect it makes would name whatever host was asked for
    app.config.update(guards.cookies_of(settings))
    app.config.setdefault("MAX_CONTENT_LENGTH", guards.HOOK_BYTES)
    app.config.setdefault("WTF_CSRF_TIME_LIMIT", TOKEN_SECONDS)
    app.config.setdefault("BABEL_TRANSLATION_DIRECTORIES", str(TRANSLATIONS))
    Babel(app, default_locale=settings.locales[0], locale_selector=locales.chosen)
    app.session_interface = guards.Session()
    app.extensions["pressfund.guards"] = {bp.name: guards.GUARDS[guard] for bp, guard in BLUEPRINTS}
    app.extensions["pressfund.headers"] = guards.headers_of(settings, stylesheet)
    view.register(app, stylesheet)
    refusals.register(app)
    app.before_request(guards.admit)
    sessions.register(app)
    app.after_request(guards.dress)
    for bp, guard in BLUEPRINTS:
        if settings.mode in guards.DEMO_MODES or not guards.GUARDS[guard].demo_only:
            app.register_blueprint(bp)
    _wrap(app, settings)


def _wrap(app: Flask, settings: Settings) -> None:
    """Around the app, from the inside out: who writes, what is kept, the language, the proxy. Tests keep nothing."""
    seconds = 0.0 if settings.mode == "test" else CACHE_SECONDS
    app.extensions["pressfund.sheets"] = sheets.Rack(seconds)
    pages = PageCache(guards.Writing(app.wsgi_app), seconds, settings.currencies)
    app.extensions["pressfund.pages"] = pages
    wrapped = locales.LocalePrefix(pages, settings.locales)
    hops = settings.trusted_proxies
    app.wsgi_app = ProxyFix(wrapped, x_for=hops, x_proto=hops) if hops else wrapped  # type: ignore[method-assign]
