"""What a reader's browser loads for a page, headers and scripts included, compressed: it should fit one round trip."""

import re
import socket

from bench.figures import Row
from bench.load import get
from bench.rows_pages import FORMS, PAGES
from bench.servers import Server
from bench.world import World

KB = 14.0
BANNER_KB = 4.0
LOCALES = ("en", "ka")
LOADED = re.compile(
    rb"""<(?:script[^>]*\ssrc|img[^>]*\ssrc|link[^>]*rel="?stylesheet"?[^>]*\shref)="([^"]+)"""
)


def measure(world: World) -> list[Row]:
    """Each page in each language, with the sample newsroom's own story."""
    pages = {
        "home": PAGES["home"],
        "article": "/demo/article",
        "fundraiser": PAGES["fundraiser"],
        "plans": PAGES["plans"],
        **FORMS,
        "sign-in": "/sign-in",
    }
    environment = world.environment(world.fresh("sqlite"), MODE="test", STRIPE_SECRET_KEY="sk_test_bench",
                                    BASE_URL="http://127.0.0.1:8000")  # fmt: skip
    words = world.story_words(LOCALES)
    with Server("wsgi:app", environment, workers=1) as server:
        banner = _row(server.port, "banner", PAGES["banner"], words)
        banner.reach = BANNER_KB
        return [*(_row(server.port, name, path, words) for name, path in pages.items()), banner]


def _row(port: int, name: str, path: str, words: dict[str, int]) -> Row:
    parts = {code: _parts(port, path if code == LOCALES[0] else f"/{code}{path}") for code in LOCALES}
    sums = {code: sum(part.values()) for code, part in parts.items()}
    says = ", ".join(f"{code} {size / 1024:.1f}" for code, size in sums.items())
    if name in ("fundraiser", "gift form"):
        says += f" (story of {' and '.join(str(words[code]) for code in LOCALES)} words)"
    return Row(f"page weight, {name}", max(sums.values()) / 1024, "KB", reach=KB, at_most=True, says=says,
               rounds={"bytes": parts})  # fmt: skip


def _parts(port: int, path: str) -> dict[str, int]:
    """Address -> bytes on the wire, of the page and of all that it loads."""
    body, size = _fetch(port, path)
    parts = {path: size}
    for address in (found.decode() for found in LOADED.findall(body)):
        if not address.startswith("data:"):
            parts[address] = _fetch(port, address)[1]
    return parts


def _fetch(port: int, path: str) -> tuple[bytes, int]:
    """The body, unpacked, and the size of the whole answer as it came."""
    import gzip

    with socket.create_connection(("127.0.0.1", port), timeout=5) as connection:
        connection.sendall(get(path, {"Connection": "close"}).encode())
        whole = b"".join(iter(lambda: connection.recv(65536), b""))
    head, _, body = whole.partition(b"\r\n\r\n")
    if not head.startswith(b"HTTP/1.1 200"):
        raise RuntimeError(f"{path} answered {head.splitlines()[0].decode()}")
    packed = b"content-encoding: gzip" in head.lower()
    return gzip.decompress(body) if packed else body, len(whole)
