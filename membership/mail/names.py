"""What the domain we write from says about itself: SPF, DKIM and DMARC, asked of DNS with a short time-out.

Without them mail to the large providers lands among spam, or comes back.
"""

from dataclasses import dataclass
from enum import StrEnum

SECONDS = 2.0
"""How long one answer may take: somebody waits for the page."""


class Answer(StrEnum):
    """What DNS said."""

    FOUND = "found"
    MISSING = "missing"
    SILENT = "silent"
    """No answer in time, which says nothing."""


@dataclass(frozen=True, slots=True)
class Names:
    """The three records of a domain."""

    spf: Answer
    dkim: Answer
    dmarc: Answer


def look_up(domain: str, selector: str) -> Names:
    """Ask for the three; `selector` is the name of the DKIM key, which the mail provider chose."""
    return Names(
        spf=_ask(domain, "v=spf1"),
        dkim=_ask(f"{selector}._domainkey.{domain}", "p="),
        dmarc=_of_domain_or_above(domain),
    )


def _of_domain_or_above(domain: str) -> Answer:
    """DMARC of the domain itself, else of the one above it: mail.example.org is covered by example.org."""
    own = _ask(f"_dmarc.{domain}", "v=DMARC1")
    above = domain.partition(".")[2]
    return _ask(f"_dmarc.{above}", "v=DMARC1") if own is Answer.MISSING and "." in above else own


def _ask(name: str, wanted: str) -> Answer:
    import dns.exception
    import dns.resolver

    try:
        found = dns.resolver.resolve(name, "TXT", lifetime=SECONDS)
    except (dns.resolver.NXDOMAIN, dns.resolver.NoAnswer, dns.name.LabelTooLong, dns.name.EmptyLabel):
        return Answer.MISSING
    except (dns.exception.DNSException, OSError):
        return Answer.SILENT
    texts = [b"".join(record.strings).decode("ascii", "replace") for record in found]
    fits = any(
        wanted in text if wanted == "p=" else text.lower().startswith(wanted.lower()) for text in texts
    )
    return Answer.FOUND if fits else Answer.MISSING
