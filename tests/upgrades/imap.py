"""IMAP's STARTTLS (RFC 9051, 6.2.1): what is said in clear names a folder ``injected``, under TLS there is ``inside``."""

from service.adapters.imap.wire.status import LoginDeferred
from service.mail.errors import UpstreamError
from tests.upgrades.scripts import AWAY, BROKEN, LATE, NO_HANDSHAKE, TLS, WELL, Dialect, Ends
from tests.upgrades.server import Script

_OK = b"{tag} OK done\r\n"
_TEMPTING = b"IMAP4rev1 AUTH=PLAIN SASL-IR LITERAL+ ID ENABLE CONDSTORE"
_LIST = b'* LIST (\\HasNoChildren) "/" injected\r\n'
REFUSED: Ends = frozenset({UpstreamError})
DEFERRED: Ends = frozenset({LoginDeferred})
"""The server says BYE: it may do so at any time, and the connection is over at once."""

IMAP = Dialect(
    usual=Script(
        greeting=b"* OK [CAPABILITY IMAP4rev1 STARTTLS LOGINDISABLED] ready\r\n",
        outside={
            b"": _LIST + _OK,
            b"CAPABILITY": b"* CAPABILITY STARTTLS " + _TEMPTING + b"\r\n" + _OK,
            b"STARTTLS": b"{tag} OK begin\r\n",
        },
        inside={
            b"": _OK,
            b"CAPABILITY": b"* CAPABILITY IMAP4rev1\r\n" + _OK,
            b"LIST": b'* LIST (\\HasNoChildren) "/" inside\r\n' + _OK,
        },
    ),
    consent=b"STARTTLS",
    injections={
        "capabilities": b"* CAPABILITY " + _TEMPTING + b"\r\n",
        "a list": _LIST,
        "the next answers": b"{next} OK done\r\n{after} OK [CAPABILITY " + _TEMPTING + b"] in\r\n",
        "the next answer with rows": b"* CAPABILITY "
        + _TEMPTING
        + b"\r\n{next} OK done\r\n"
        + _LIST
        + b"{after} OK in\r\n",
        "the same answer again": b"{tag} OK begin\r\n",
        "a no": b"{tag} NO not now\r\n",
        "a plus": b"+ go on\r\n",
        "half a literal": b"* LIST () {1000}\r\n",
        "an open quote": b'* LIST () "/" "',
        "several lines": b"* 1 EXISTS\r\n* OK [UIDVALIDITY 1] x\r\n* OK [ALERT] call us\r\n",
        "a goodbye": b"* BYE over\r\n",
        "an empty line": b"\r\n",
        "an octet": b"*",
        "NUL": b"\0" * 8,
    },
    greetings={
        "plain": (b"* OK ready\r\n", WELL),
        "without STARTTLS": (b"* OK [CAPABILITY IMAP4rev1] ready\r\n", WELL),
        "tempting": (b"* OK [CAPABILITY " + _TEMPTING + b"] ready\r\n", WELL),
        "with rows": (b"* OK ready\r\n* CAPABILITY " + _TEMPTING + b"\r\n" + _LIST, WELL),
        "PREAUTH": (b"* PREAUTH welcome\r\n", TLS),
        "PREAUTH with capabilities": (b"* PREAUTH [CAPABILITY IMAP4rev1] welcome\r\n", TLS),
        "BYE": (b"* BYE too many\r\n", DEFERRED),
        "BYE with a code": (b"* BYE [UNAVAILABLE] later\r\n", DEFERRED),
        "NO": (b"* NO go away\r\n", BROKEN),
        "a tag": (b"A1 OK ready\r\n", BROKEN),
        "POP3": (b"+OK ready\r\n", BROKEN),
        "SMTP": (b"220 mx.example.org ESMTP\r\n", BROKEN),
        "HTTP": (b"HTTP/1.1 400 Bad Request\r\n\r\n", BROKEN),
        "NUL": (b"\0" * 100, BROKEN),
        "a record of TLS": (b"\x16\x03\x03\x00\x05hello", BROKEN),
        "without an end": (b"* OK rea", LATE),
        "an answer with it": (b"* OK ready\r\nA1 OK done\r\n", BROKEN | AWAY),
    },
    answers={
        "NO": (b"{tag} NO not here\r\n", TLS),
        "BAD": (b"{tag} BAD what\r\n", TLS),
        "rows and no tag": (_LIST, TLS | LATE),
        "a tag of nobody": (b"ZZZZ9 OK begin\r\n", TLS),
        "the next tag": (b"{next} OK begin\r\n", TLS),
        "twice": (b"{tag} OK begin\r\n{tag} OK begin\r\n", TLS),
        "yes and no": (b"{tag} OK begin\r\n{tag} NO not now\r\n", TLS),
        "no and yes": (b"{tag} NO not now\r\n{tag} OK begin\r\n", TLS),
        "a plus": (b"+ go on\r\n", TLS),
        "a plus and OK": (b"+ go on\r\n{tag} OK begin\r\n", TLS),
        "a goodbye": (b"* BYE over\r\n", DEFERRED),
        "no line end": (b"{tag} OK begin", TLS | LATE),
        "LF alone": (b"{tag} OK begin\n", TLS | LATE),
        "half a literal": (b"* LIST () {1000}\r\n{tag} OK begin\r\n", TLS | LATE),
        "no word": (b"{tag}\r\n", TLS),
        "another word": (b"{tag} YES\r\n", TLS),
        "PREAUTH": (b"* PREAUTH in\r\n{tag} OK begin\r\n", WELL),
        "rows before it": (b"* CAPABILITY " + _TEMPTING + b"\r\n" + _LIST + b"{tag} OK begin\r\n", WELL),
        "capabilities in it": (b"{tag} OK [CAPABILITY " + _TEMPTING + b"] begin\r\n", WELL),
        "a record of TLS": (b"\x16\x03\x03\x00\x02\x00\x00", TLS | LATE),
        "silence": (b"", TLS | LATE),
    },
    inside={
        "LOGINDISABLED": ({b"CAPABILITY": b"* CAPABILITY IMAP4rev1 LOGINDISABLED\r\n" + _OK}, TLS),
        "STARTTLS once more": ({b"CAPABILITY": b"* CAPABILITY IMAP4rev1 STARTTLS\r\n" + _OK}, WELL),
        "no capabilities": ({b"CAPABILITY": _OK}, WELL),
    },
    unasked={
        "a greeting": (b"* OK ready\r\n", WELL),
        "the next answer": (b"{next} OK done\r\n", BROKEN | AWAY),
        "a plus": (b"+ go on\r\n", BROKEN | AWAY),
        "a goodbye": (b"* BYE over\r\n", DEFERRED),
        "octets in clear": (b"\0\0", NO_HANDSHAKE | BROKEN),
    },
)
