"""In the demo: time passes by itself, and webhooks leave on a few threads at once.

Nothing is lost when the process is killed: what was due is due again at the next start.
"""

import logging
import sqlite3
import threading
from concurrent.futures import ThreadPoolExecutor

from membership.sandbox.account import Account
from membership.sandbox.webhooks import Delivery, Webhooks

_log = logging.getLogger(__name__)
_BEAT = 0.2
_AT_ONCE = 4


class Runner:
    def __init__(self, account: Account, webhooks: Webhooks) -> None:
        self._account = account
        self._webhooks = webhooks
        self._over = threading.Event()
        self._wake = threading.Event()
        self._free = threading.Semaphore(_AT_ONCE)
        self._pool = ThreadPoolExecutor(_AT_ONCE, thread_name_prefix="webhook")
        self._thread = threading.Thread(target=self._run, name="sandbox", daemon=True)
        webhooks.wake = self._wake.set
        self._thread.start()

    def stop(self) -> None:
        self._over.set()
        self._wake.set()
        self._thread.join(timeout=10)
        self._pool.shutdown(wait=True)

    def _run(self) -> None:
        while not self._over.is_set():
            try:
                while not self._over.is_set() and self._step():
                    pass
            except Exception:  # noqa: BLE001 - the thread must outlive any fault of a step
                # the step stays due, and the log says why
                _log.exception("a step of the pretend Stripe failed")
                self._over.wait(1)
            while not self._over.is_set() and self._send_one():
                pass
            self._wake.wait(_BEAT)
            self._wake.clear()

    def _step(self) -> bool:
        with self._account.store.lock:
            return self._account.run_next_step(until=self._account.now())

    def _send_one(self) -> bool:
        if not self._free.acquire(timeout=_BEAT):
            return True  # all busy: look again
        delivery = self._webhooks.take(soon=False)
        if delivery is None:
            self._free.release()
            return False
        self._pool.submit(self._send, delivery)
        return True

    def _send(self, delivery: Delivery) -> None:
        try:
            self._webhooks.send(delivery)
        except sqlite3.ProgrammingError:
            return  # the store was closed under a slow receiver: it is sent again at the next start
        finally:
            self._free.release()
