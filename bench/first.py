"""A process of its own that imports the app, asks it for the front page and says when that was
(monotonic clock) and how long it had worked."""

import sys
import time
from io import BytesIO

from wsgi import app

told: list[str] = []
environ = {
    "REQUEST_METHOD": "GET",
    "SCRIPT_NAME": "",
    "PATH_INFO": "/",
    "QUERY_STRING": "",
    "SERVER_NAME": "127.0.0.1",
    "SERVER_PORT": "80",
    "SERVER_PROTOCOL": "HTTP/1.1",
    "HTTP_HOST": "127.0.0.1",
    "wsgi.version": (1, 0),
    "wsgi.url_scheme": "http",
    "wsgi.input": BytesIO(),
    "wsgi.errors": sys.stderr,
    "wsgi.multithread": True,
    "wsgi.multiprocess": True,
    "wsgi.run_once": False,
}
page = b"".join(app(environ, lambda status, _headers, _info=None: told.append(status)))
if told != ["200 OK"] or b"<h1" not in page:
    sys.exit(f"the front page answered {told}")
sys.stdout.write(f"{time.monotonic()} {time.process_time()}")
