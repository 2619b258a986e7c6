"""POP3's STLS (RFC 2595, 4): what is said in clear tells of seven messages, under TLS there are two."""

from service.mail.errors import UpstreamError
from tests.upgrades.scripts import AWAY, BROKEN, LATE, NO_HANDSHAKE, TLS, WELL, Dialect, Ends
from tests.upgrades.server import Script

_SEVEN = b"+OK\r\n" + b"".join(b"%d 70\r\n" % n for n in range(1, 8)) + b".\r\n"
_TWO = b"+OK\r\n1 a\r\n2 b\r\n.\r\n"
_TEMPTING = b"+OK\r\nSTLS\r\nSASL PLAIN\r\nPIPELINING\r\nUIDL\r\nTOP\r\nUSER\r\n.\r\n"
REFUSED: Ends = frozenset({UpstreamError})

POP3 = Dialect(
    usual=Script(
        greeting=b"+OK ready <1.2@example.org>\r\n",
        outside={
            b"": b"+OK\r\n",
            b"CAPA": _TEMPTING,
            b"STLS": b"+OK begin\r\n",
            b"LIST": _SEVEN,
            b"UIDL": _SEVEN,
        },
        inside={
            b"": b"+OK\r\n",
            b"CAPA": b"+OK\r\nUSER\r\nUIDL\r\nTOP\r\n.\r\n",
            b"LIST": b"+OK\r\n1 20\r\n2 20\r\n.\r\n",
            b"UIDL": _TWO,
        },
    ),
    consent=b"STLS",
    injections={
        "an OK": b"+OK\r\n",
        "the next answers": _TEMPTING + b"+OK\r\n+OK in\r\n",
        "a list": _SEVEN,
        "an error": b"-ERR no\r\n",
        "a plus": b"+ \r\n",
        "half an answer": b"+OK\r\nSTLS\r\nSASL PLAIN\r\n",
        "half a line": b"+O",
        "an end": b".\r\n",
        "an empty line": b"\r\n",
        "an octet": b"-",
        "a greeting": b"+OK ready <3.4@example.org>\r\n",
        "LF alone": b"+OK\n",
        "NUL": b"\0" * 8,
    },
    greetings={
        "plain": (b"+OK ready\r\n", WELL),
        "with a challenge": (b"+OK ready <1.2@example.org>\r\n", WELL),
        "of an error": (b"-ERR go away\r\n", AWAY),
        "in use": (b"-ERR [SYS/TEMP] later\r\n", AWAY),
        "two lines": (b"+OK ready\r\n+OK\r\n", BROKEN),
        "capabilities with it": (b"+OK ready\r\n" + _TEMPTING, BROKEN),
        "IMAP": (b"* OK ready\r\n", BROKEN),
        "signed in": (b"* PREAUTH welcome\r\n", BROKEN),
        "SMTP": (b"220 mx.example.org ESMTP\r\n", BROKEN),
        "HTTP": (b"HTTP/1.1 400 Bad Request\r\n\r\n", BROKEN),
        "NUL": (b"\0" * 100, BROKEN | LATE),
        "a record of TLS": (b"\x16\x03\x03\x00\x05hello", BROKEN | LATE),
        "without an end": (b"+OK rea", LATE),
        "LF alone": (b"+OK ready\n", BROKEN),
    },
    answers={
        "an error": (b"-ERR no\r\n", TLS),
        "an error with a code": (b"-ERR [SYS/PERM] no\r\n", TLS),
        "twice": (b"+OK begin\r\n+OK begin\r\n", TLS),
        "yes and no": (b"+OK begin\r\n-ERR no\r\n", TLS),
        "no and yes": (b"-ERR no\r\n+OK begin\r\n", TLS | BROKEN),
        "a plus": (b"+ \r\n", BROKEN),
        "a record of TLS": (b"\x16\x03\x03\x00\x02\x00\x00", BROKEN | LATE),
        "several lines": (_TEMPTING, TLS),
        "no line end": (b"+OK begin", LATE),
        "LF alone": (b"+OK begin\n", BROKEN),
        "IMAP": (b"* OK begin\r\n", BROKEN),
        "lower case": (b"+ok begin\r\n", BROKEN),
        "silence": (b"", LATE),
    },
    outside={
        "STLS is not offered": ({b"CAPA": b"+OK\r\nUSER\r\n.\r\n"}, TLS),
        "nothing is offered": ({b"CAPA": b"+OK\r\n.\r\n"}, TLS),
        "no capabilities": ({b"CAPA": b"-ERR what\r\n"}, WELL),
        "no capabilities and no STLS": ({b"CAPA": b"-ERR what\r\n", b"STLS": b"-ERR what\r\n"}, TLS),
        "capabilities without end": ({b"CAPA": b"+OK\r\nSTLS\r\n"}, LATE),
        "capabilities twice": ({b"CAPA": _TEMPTING + _TEMPTING}, BROKEN),
        "capabilities and the next answer": ({b"CAPA": _TEMPTING + b"+OK begin\r\n"}, BROKEN),
    },
    inside={
        "no password": ({b"CAPA": b"+OK\r\nSASL GSSAPI\r\n.\r\n"}, REFUSED),
        "STLS once more": ({b"CAPA": b"+OK\r\nSTLS\r\nUSER\r\nUIDL\r\n.\r\n"}, WELL),
        "no capabilities": ({b"CAPA": b"-ERR what\r\n"}, WELL),
    },
    unasked={
        "a greeting": (b"+OK ready\r\n", WELL | BROKEN),
        "the next answer": (_TEMPTING, BROKEN),
        "a plus": (b"+ \r\n", BROKEN),
        "octets in clear": (b"\0\0", NO_HANDSHAKE | BROKEN),
    },
)
