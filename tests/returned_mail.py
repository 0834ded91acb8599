"""Mail that comes back, as four mail servers write it. Each takes the Message-ID of what is returned and what became
of it; the words around are theirs in kind, not in letter.
"""

ORIGINAL = (
    "From: newsroom <noreply@newsroom.example>\r\nTo: {to}\r\nSubject: Your receipt\r\nMessage-ID: {message_id}\r\n"
    "MIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\n"
)


def postfix(message_id, to="nino@example.org", action="failed", status="5.1.1"):
    return f"""Return-Path: <>
From: MAILER-DAEMON@mail.newsroom.example (Mail Delivery System)
Subject: Undelivered Mail Returned to Sender
To: noreply@newsroom.example
Auto-Submitted: auto-replied
MIME-Version: 1.0
Content-Type: multipart/report; report-type=delivery-status;
\tboundary="4F2A81C0A5.1772366400/mail.newsroom.example"
Content-Transfer-Encoding: 8bit
Message-Id: <20260301120001.4F2A81C0A6@mail.newsroom.example>

This is a MIME-encapsulated message.

--4F2A81C0A5.1772366400/mail.newsroom.example
Content-Description: Notification
Content-Type: text/plain; charset=us-ascii

This is the mail system at host mail.newsroom.example.

<{to}>: host mx.example.org said: 550 {status} no such user (in reply to RCPT TO command)

--4F2A81C0A5.1772366400/mail.newsroom.example
Content-Description: Delivery report
Content-Type: message/delivery-status

Reporting-MTA: dns; mail.newsroom.example
X-Postfix-Queue-ID: 4F2A81C0A5
X-Postfix-Sender: rfc822; noreply@newsroom.example
Arrival-Date: Sun,  1 Mar 2026 12:00:00 +0000 (UTC)

Final-Recipient: rfc822; {to}
Original-Recipient: rfc822;{to}
Action: {action}
Status: {status}
Remote-MTA: dns; mx.example.org
Diagnostic-Code: smtp; 550 {status} no such user

--4F2A81C0A5.1772366400/mail.newsroom.example
Content-Description: Undelivered Message
Content-Type: message/rfc822
Content-Transfer-Encoding: 8bit

{_original(message_id, to)}
Hello.

--4F2A81C0A5.1772366400/mail.newsroom.example--
"""


def exim(message_id, to="nino@example.org", action="failed", status="5.0.0"):
    return f"""Return-path: <>
Auto-Submitted: auto-replied
From: Mail Delivery System <Mailer-Daemon@relay.example.net>
To: noreply@newsroom.example
Content-Type: multipart/report; report-type=delivery-status; boundary=1772366400-eximdsn-2026
MIME-Version: 1.0
Subject: Mail delivery failed: returning message to sender
Message-Id: <E1wkxyz-000000001Ab-2@relay.example.net>

--1772366400-eximdsn-2026
Content-type: text/plain; charset=us-ascii

This message was created automatically by mail delivery software.

  {to}
    Unrouteable address

--1772366400-eximdsn-2026
Content-type: message/delivery-status

Reporting-MTA: dns; relay.example.net

Action: {action}
Final-Recipient: rfc822;{to}
Status: {status}

--1772366400-eximdsn-2026
Content-type: text/rfc822-headers

{_original(message_id, to)}
--1772366400-eximdsn-2026--
"""


def exchange(message_id, to="nino@example.org", action="failed", status="5.1.10"):
    return f"""From: <postmaster@outlook.example>
To: <noreply@newsroom.example>
MIME-Version: 1.0
Content-Type: multipart/report; report-type=delivery-status;
\tboundary="a5f3b1f2-0d56-4b52-9d6c-1a7e0c9d3f11"
Content-Language: en-US
Message-ID: <a5f3b1f2@PROD01.outlook.example>
In-Reply-To: {message_id}
Subject: Undeliverable: Your receipt
Auto-Submitted: auto-replied

--a5f3b1f2-0d56-4b52-9d6c-1a7e0c9d3f11
Content-Type: multipart/alternative; differences=Content-Type;
\tboundary="b1c2d3e4-1111-4222-8333-444455556666"

--b1c2d3e4-1111-4222-8333-444455556666
Content-Type: text/plain; charset="us-ascii"
Content-Transfer-Encoding: quoted-printable

Your message couldn't be delivered. The address wasn't found.=

--b1c2d3e4-1111-4222-8333-444455556666
Content-Type: text/html; charset="us-ascii"
Content-Transfer-Encoding: quoted-printable

<html><body><p>Your message couldn't be delivered.</p></body></html>

--b1c2d3e4-1111-4222-8333-444455556666--

--a5f3b1f2-0d56-4b52-9d6c-1a7e0c9d3f11
Content-Type: message/delivery-status

Reporting-MTA: dns;PROD01.outlook.example
Received-From-MTA: dns;mail.newsroom.example
Arrival-Date: Sun, 1 Mar 2026 12:00:00 +0000

Final-Recipient: rfc822;{to}
Action: {action}
Status: {status}
Diagnostic-Code: smtp;550 {status} RESOLVER.ADR.RecipientNotFound; not found
X-Display-Name: Nino

--a5f3b1f2-0d56-4b52-9d6c-1a7e0c9d3f11
Content-Type: message/rfc822

Received: from mail.newsroom.example by PROD01.outlook.example; Sun, 1 Mar 2026 12:00:00 +0000
{_original(message_id, to)}
Hello.

--a5f3b1f2-0d56-4b52-9d6c-1a7e0c9d3f11--
"""


def gmail(message_id, to="nino@example.org", action="failed", status="5.1.1"):
    return f"""Delivered-To: noreply@newsroom.example
Return-Path: <>
Content-Type: multipart/report; boundary="000000000000a1b2c3d4e5f6a7b8"; report-type=delivery-status
To: noreply@newsroom.example
Auto-Submitted: auto-replied
MIME-Version: 1.0
From: Mail Delivery Subsystem <mailer-daemon@googlemail.example>
Subject: Delivery Status Notification (Failure)
References: {message_id}
In-Reply-To: {message_id}
X-Failed-Recipients: {to}

--000000000000a1b2c3d4e5f6a7b8
Content-Type: multipart/related; boundary="000000000000a1b2d8e9f0a1b2c3"

--000000000000a1b2d8e9f0a1b2c3
Content-Type: multipart/alternative; boundary="000000000000a1b2e0f1a2b3c4d5"

--000000000000a1b2e0f1a2b3c4d5
Content-Type: text/plain; charset="UTF-8"

** Address not found **

Your message wasn't delivered to {to} because the address couldn't be found.

--000000000000a1b2e0f1a2b3c4d5--

--000000000000a1b2d8e9f0a1b2c3--

--000000000000a1b2c3d4e5f6a7b8
Content-Type: message/delivery-status

Reporting-MTA: dns; googlemail.example
Received-From-MTA: dns; noreply@newsroom.example
Arrival-Date: Sun, 01 Mar 2026 04:00:00 -0800 (PST)
X-Original-Message-ID: {message_id}

Final-Recipient: rfc822; {to}
Action: {action}
Status: {status}
Remote-MTA: dns; mx.example.org. (192.0.2.1, the server for the domain example.org.)
Diagnostic-Code: smtp; 550-{status} The email account that you tried to reach does not exist.
Last-Attempt-Date: Sun, 01 Mar 2026 04:00:01 -0800 (PST)

--000000000000a1b2c3d4e5f6a7b8
Content-Type: message/rfc822

DKIM-Signature: v=1; a=rsa-sha256; c=relaxed/relaxed; d=newsroom.example; s=mail; b=abc=
{_original(message_id, to)}
Hello.

--000000000000a1b2c3d4e5f6a7b8--
"""


def _original(message_id, to):
    return ORIGINAL.format(message_id=message_id, to=to).replace("\r\n", "\n")


SERVERS = (postfix, exim, exchange, gmail)
ABSENCE = (
    "From: Nino <nino@example.org>\r\nTo: noreply@newsroom.example\r\nSubject: Away until Monday\r\n"
    "Auto-Submitted: auto-replied\r\n\r\nI am away. The old mail failed: 5.1.1\r\n"
)
