"""Pages leave compressed, secrets do not.

Whole pages that hold nothing secret are gzipped. A page with a visitor's own tokens is a `Sheet`: its parts are
deflated apart from each other, and the tokens stand between them in stored blocks, one for each form. So a token is
never compressed together with anything, and the length of a page says nothing about it (the attack known as BREACH).
The parts are the same for everybody, so they are drawn and deflated once and kept for a second.
"""

import gzip
import struct
import zlib
from functools import cached_property

from flask import Response, request

from membership.web import pagecache

MARK = "<!--tokens-->"
HEAD = b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x02\xff"  # gzip, no name, no time
END = b"\x03\x00"  # an empty last block
SMALLEST = 600  # below this a page fits in one packet anyway


def wanted() -> bool:
    """Whether this visitor takes gzip."""
    return pagecache.takes_gzip(request.headers.get("Accept-Encoding", ""))


class Sheet:
    """A page with room for a visitor's tokens, once for each of its forms."""

    def __init__(self, html: str) -> None:
        self.parts = [part.encode() for part in html.split(MARK)]
        self.has_room = len(self.parts) > 1

    @cached_property
    def deflated(self) -> list[bytes]:
        """Every part, each without a look back over the tokens."""
        return [_deflated(part) for part in self.parts]

    @cached_property
    def checksum(self) -> int:
        """The checksum up to the first tokens."""
        return zlib.crc32(self.parts[0])

    def response(self, tokens: str, status: int = 200) -> Response:
        """The whole page for one visitor."""
        own = tokens.encode() if self.has_room else b""
        if not wanted():
            response = Response(own.join(self.parts), status, mimetype="text/html")
        else:
            response = Response(self._gzipped(own), status, mimetype="text/html")
            response.headers["Content-Encoding"] = "gzip"
        response.headers["Vary"] = "Accept-Encoding"
        return response

    def _gzipped(self, own: bytes) -> bytes:
        stored = b"\x00" + struct.pack("<HH", len(own), 0xFFFF ^ len(own)) + own
        checksum, length = self.checksum, len(self.parts[0])
        for part in self.parts[1:]:
            checksum = zlib.crc32(part, zlib.crc32(own, checksum))
            length += len(own) + len(part)
        end = struct.pack("<LL", checksum, length)
        return b"".join((HEAD, stored.join(self.deflated), END, end))


def _deflated(part: bytes) -> bytes:
    press = zlib.compressobj(7, zlib.DEFLATED, -15)
    return press.compress(part) + press.flush(zlib.Z_FULL_FLUSH)


def squeeze(response: Response) -> None:
    """Gzip a page that holds no secret, when the visitor takes it."""
    if response.mimetype != "text/html" or "Content-Encoding" in response.headers or response.is_streamed:
        return
    response.vary.add("Accept-Encoding")
    body = response.get_data()
    if wanted() and len(body) > SMALLEST:
        response.set_data(gzip.compress(body, 6, mtime=0))
        response.headers["Content-Encoding"] = "gzip"
