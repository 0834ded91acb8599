"""Lets `requests`, and so Stripe's SDK, call a WSGI app in process, without sockets.

A reply the app drops becomes the error a real connection would have shown.
"""

import io
from urllib.parse import unquote, urlsplit

import requests
from requests.adapters import BaseAdapter
from requests.structures import CaseInsensitiveDict
from werkzeug.test import create_environ, run_wsgi_app

from membership.sandbox import ReplyDropped


class WSGIAdapter(BaseAdapter):
    def __init__(self, app):
        super().__init__()
        self.app = app

    def send(self, request, **_how):
        parts = urlsplit(request.url)
        body = request.body or b""
        environ = create_environ(
            path=unquote(parts.path),
            base_url=f"{parts.scheme}://{parts.netloc}",
            query_string=parts.query,
            method=request.method,
            headers=dict(request.headers),
            data=body.encode() if isinstance(body, str) else body,
            environ_base={"REMOTE_ADDR": "127.0.0.1"},
        )
        try:
            chunks, status, headers = run_wsgi_app(self.app, environ, buffered=True)
        except ReplyDropped as drop:
            if drop.kind.startswith("timeout"):
                raise requests.exceptions.ReadTimeout(str(drop), request=request) from drop
            raise requests.exceptions.ConnectionError(str(drop), request=request) from drop
        response = requests.Response()
        response.status_code = int(status.split()[0])
        response.reason = status.partition(" ")[2]
        response.headers = CaseInsensitiveDict(headers.items())
        response.encoding = "utf-8"
        response.raw = io.BytesIO(b"".join(chunks))
        response.url = request.url
        response.request = request
        return response

    def close(self):
        pass
