"""SMTP's STARTTLS (RFC 3207): what is said in clear offers ``XINJECTED`` and AUTH, under TLS there is ``XINSIDE``."""

from base64 import b64encode

from service.mail.errors import UpstreamError
from tests.upgrades.scripts import AWAY, BROKEN, LATE, NO_HANDSHAKE, TLS, WELL, Dialect, Ends
from tests.upgrades.server import Script

_TEMPTING = b"250-mx\r\n250-XINJECTED\r\n250-PIPELINING\r\n250-AUTH PLAIN LOGIN XOAUTH2\r\n"
_OFFER = _TEMPTING + b"250 STARTTLS\r\n"
_INSIDE = b"250-mx\r\n250-XINSIDE\r\n250 AUTH LOGIN\r\n"
REFUSED: Ends = frozenset({UpstreamError})

SMTP = Dialect(
    usual=Script(
        greeting=b"220 mx.example.org ESMTP\r\n",
        outside={b"": b"250 ok\r\n", b"EHLO": _OFFER, b"STARTTLS": b"220 begin\r\n"},
        # What is no verb answers the challenges of LOGIN: the username, which is the same in every test, and the password.
        inside={
            b"": b"235 2.7.0 in\r\n",
            b"EHLO": _INSIDE,
            b"AUTH": b"334 VXNlcm5hbWU6\r\n",
            b64encode(b"user@example.org").upper(): b"334 UGFzc3dvcmQ6\r\n",
            b"QUIT": b"221 bye\r\n",
        },
    ),
    consent=b"STARTTLS",
    injections={
        "an OK": b"250 ok\r\n",
        "the next answers": _TEMPTING + b"250 DSN\r\n235 in\r\n",
        "a login": b"235 2.7.0 in\r\n",
        "a refusal": b"535 5.7.8 no\r\n",
        "a challenge": b"334 \r\n",
        "half an answer": _TEMPTING,
        "half a line": b"25",
        "the same answer again": b"220 begin\r\n",
        "a goodbye": b"421 over\r\n",
        "an empty line": b"\r\n",
        "an octet": b"2",
        "LF alone": b"250 ok\n",
        "NUL": b"\0" * 8,
    },
    greetings={
        "plain": (b"220 mx\r\n", WELL),
        "of several lines": (b"220-mx\r\n220-no spam\r\n220 ESMTP\r\n", WELL),
        "without text": (b"220\r\n", WELL),
        "LF alone": (b"220 mx\n", WELL),
        "a goodbye": (b"421 4.3.2 later\r\n", AWAY),
        "for now": (b"450 later\r\n", AWAY),
        "for good": (b"554 5.7.1 not from there\r\n", REFUSED),
        "two": (b"220 mx\r\n220 mx\r\n", BROKEN),
        "extensions with it": (b"220 mx\r\n" + _OFFER, BROKEN),
        "a consent": (b"250 ok\r\n", BROKEN),
        "a login": (b"235 in\r\n", BROKEN),
        "IMAP": (b"* OK ready\r\n", BROKEN),
        "signed in": (b"* PREAUTH welcome\r\n", BROKEN),
        "POP3": (b"+OK ready\r\n", BROKEN),
        "HTTP": (b"HTTP/1.1 400 Bad Request\r\n\r\n", BROKEN),
        "NUL": (b"\0" * 100, BROKEN | LATE),
        "a record of TLS": (b"\x16\x03\x03\x00\x05hello", BROKEN | LATE),
        "without an end": (b"220 m", LATE),
        "lines without an end": (b"220-mx\r\n", LATE),
    },
    answers={
        "for now": (b"454 4.7.0 TLS not available\r\n", TLS),
        "for good": (b"502 no\r\n", TLS),
        "another consent": (b"250 begin\r\n", TLS),
        "a goodbye": (b"421 over\r\n", AWAY),
        "twice": (b"220 begin\r\n220 begin\r\n", TLS),
        "yes and no": (b"220 begin\r\n454 no\r\n", TLS),
        "no and yes": (b"454 no\r\n220 begin\r\n", TLS | BROKEN),
        "two codes": (b"220-begin\r\n454 no\r\n", BROKEN),
        "a challenge": (b"334 \r\n", TLS),
        "several lines": (b"220-be\r\n220 gin\r\n", WELL),
        "a record of TLS": (b"\x16\x03\x03\x00\x02\x00\x00", BROKEN | LATE),
        "extensions": (_OFFER, TLS),
        "no line end": (b"220 begin", LATE),
        "LF alone": (b"220 begin\n", WELL),
        "IMAP": (b"* OK begin\r\n", BROKEN),
        "silence": (b"", LATE),
    },
    outside={
        "STARTTLS is not offered": ({b"EHLO": b"250-mx\r\n250 AUTH PLAIN LOGIN\r\n"}, TLS),
        "nothing is offered": ({b"EHLO": b"250 mx\r\n"}, TLS),
        "STARTTLS only looks offered": ({b"EHLO": b"250-STARTTLS\r\n250 XSTARTTLS\r\n"}, TLS),
        "EHLO is not known": ({b"EHLO": b"502 what\r\n"}, REFUSED),
        "EHLO is refused for now": ({b"EHLO": b"450 later\r\n"}, AWAY),
        "extensions without end": ({b"EHLO": _TEMPTING}, LATE),
        "extensions twice": ({b"EHLO": _OFFER + _OFFER}, BROKEN),
        "extensions and the next answer": ({b"EHLO": _OFFER + b"220 begin\r\n"}, BROKEN),
        "lower case": ({b"EHLO": b"250-mx\r\n250 starttls\r\n"}, WELL),
    },
    inside={
        "no login": ({b"EHLO": b"250 mx\r\n"}, REFUSED),
        "no password": ({b"EHLO": b"250-mx\r\n250 AUTH GSSAPI\r\n"}, REFUSED),
        "STARTTLS once more": ({b"EHLO": b"250-mx\r\n250-STARTTLS\r\n250-XINSIDE\r\n250 AUTH LOGIN\r\n"}, WELL),
        "EHLO is refused": ({b"EHLO": b"502 what\r\n"}, REFUSED),
    },
    unasked={
        "a greeting": (b"220 mx\r\n", WELL | BROKEN),
        "the next answer": (_OFFER, BROKEN),
        "a login": (b"235 in\r\n", BROKEN),
        "a goodbye": (b"421 over\r\n", AWAY),
        "octets in clear": (b"\0\0", NO_HANDSHAKE | BROKEN),
    },
)
