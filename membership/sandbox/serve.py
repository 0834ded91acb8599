"""The pretend Stripe as a process of its own: loopback only, many threads, stopped cleanly by a signal.

A dropped reply really closes the socket.
"""

import signal
import threading
import time
from types import FrameType
from typing import Any

from werkzeug.serving import BaseWSGIServer, WSGIRequestHandler, make_server

from membership.sandbox import Sandbox
from membership.sandbox.errors import ReplyDropped

_HANG = 2.0  # a little longer than the shortest patience of our callers
_LOOPBACK = ("127.0.0.1", "localhost", "::1")


class _Handler(WSGIRequestHandler):
    def connection_dropped(self, error: BaseException, environ: Any = None) -> None:  # noqa: ARG002 - werkzeug's signature
        if isinstance(error, ReplyDropped) and error.kind.startswith("timeout"):
            time.sleep(_HANG)
        self.close_connection = True

    def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
        """Say nothing: paths of hosted pages are bearer links."""


def bind(host: str, port: int, sandbox: Sandbox) -> BaseWSGIServer:
    if host not in _LOOPBACK:
        raise ValueError(f"The pretend Stripe serves this machine alone; it does not bind {host}.")
    return make_server(host, port, sandbox.wsgi, threaded=True, request_handler=_Handler)


def serve(host: str, port: int, sandbox: Sandbox) -> None:
    """Answers until SIGTERM or SIGINT."""
    server = bind(host, port, sandbox)

    def stop(_signal: int, _frame: FrameType | None) -> None:
        threading.Thread(target=server.shutdown).start()

    if threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGTERM, stop)
        signal.signal(signal.SIGINT, stop)
    try:
        server.serve_forever()
    finally:
        server.server_close()
        sandbox.close()
