"""A DNS server on a free loopback port that knows the TXT records it was given; dnspython asks it while it is open."""

import socketserver
import threading
from typing import Self

import dns.message
import dns.rcode
import dns.resolver
import dns.rrset


class NameServer:
    """`texts` is name -> text; `asked` what was asked; `is_silent` leaves every question unanswered."""

    def __init__(self, texts: dict[str, str]) -> None:
        self.texts = texts
        self.asked: list[str] = []
        self.is_silent = False
        outer = self

        class Handler(socketserver.BaseRequestHandler):
            def handle(self) -> None:
                data, socket = self.request
                if answer := outer.answer(dns.message.from_wire(data)):
                    socket.sendto(answer.to_wire(), self.client_address)

        self.server = socketserver.ThreadingUDPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True

    def answer(self, query: dns.message.Message) -> dns.message.Message | None:
        """The record, or that there is none."""
        name = str(query.question[0].name).rstrip(".")
        self.asked.append(name)
        if self.is_silent:
            return None
        made = dns.message.make_response(query)
        if name in self.texts:
            made.answer.append(dns.rrset.from_text(f"{name}.", 60, "IN", "TXT", f'"{self.texts[name]}"'))
        else:
            made.set_rcode(dns.rcode.NXDOMAIN)
        return made

    def __enter__(self) -> Self:
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        resolver = dns.resolver.Resolver(configure=False)
        resolver.nameservers, resolver.port = ["127.0.0.1"], self.server.server_address[1]
        resolver.search = []
        dns.resolver.default_resolver = resolver
        return self

    def __exit__(self, *_error: object) -> None:
        dns.resolver.default_resolver = None
        self.server.shutdown()
        self.server.server_close()
