"""The app for a WSGI server: `granian --interface wsgi wsgi:app`."""

from membership.app import create_app, refuse_to_serve_without_legal_pages

app = create_app()
refuse_to_serve_without_legal_pages(app)
