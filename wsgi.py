"""The app for a WSGI server: `granian --interface wsgi wsgi:app`. What is not complete is said, and nothing is served."""

from membership.app import create_app, refuse_to_serve_unready
from membership.config import SettingsError
from membership.db import SchemaBehind

try:
    app = create_app()
    refuse_to_serve_unready(app)
except (SettingsError, SchemaBehind) as refusal:
    raise SystemExit(str(refusal)) from None
