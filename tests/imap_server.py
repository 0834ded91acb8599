"""A mail server that speaks just enough IMAP to be read from: one folder, one user, flags."""

import re
import socketserver
import threading
from typing import Self


class ImapServer:
    """`mails` are bytes in order; `seen` the places (from 1) that were marked as read."""

    def __init__(self, mails: list[bytes]) -> None:
        self.mails = mails
        self.seen: set[int] = set()
        outer = self

        class Handler(socketserver.StreamRequestHandler):
            def handle(self) -> None:
                self.wfile.write(b"* OK [CAPABILITY IMAP4rev1] ready\r\n")
                for line in self.rfile:
                    tag, _, said = line.decode().strip().partition(" ")
                    for answer in outer.answers(said):
                        self.wfile.write(answer + b"\r\n")
                    ok = "LOGIN" not in said or '"p@ss word"' in said
                    self.wfile.write(f"{tag} {'OK' if ok else 'NO'} done\r\n".encode())
                    if said.upper().startswith("LOGOUT"):
                        return

        self.server = socketserver.ThreadingTCPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.port = self.server.server_address[1]

    def answers(self, said: str) -> list[bytes]:
        """The untagged lines before the last one."""
        if said.startswith("CAPABILITY"):
            return [b"* CAPABILITY IMAP4rev1"]
        if said.startswith("SELECT"):
            return [f"* {len(self.mails)} EXISTS".encode()]
        if said == "UID SEARCH UNSEEN":
            unseen = [str(n) for n in range(1, len(self.mails) + 1) if n not in self.seen]
            return [f"* SEARCH {' '.join(unseen)}".encode()]
        if fetch := re.fullmatch(r"UID FETCH (\d+) \(BODY\.PEEK\[\]<0\.(\d+)>\)", said):
            number, most = int(fetch[1]), int(fetch[2])
            body = self.mails[number - 1][:most]
            return [
                f"* {number} FETCH (UID {number} BODY[]<0> {{{len(body)}}}".encode() + b"\r\n" + body + b")"
            ]
        if store := re.fullmatch(r"UID STORE (\d+) \+FLAGS\.SILENT \(\\Seen\)", said):
            self.seen.add(int(store[1]))
        return [b"* BYE"] if said.startswith("LOGOUT") else []

    def __enter__(self) -> Self:
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_error: object) -> None:
        self.server.shutdown()
        self.server.server_close()
