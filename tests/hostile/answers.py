"""What a server may say to hold everybody up. The smallest first; each stands for its kind."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

from tests.servers.scripted import Answer, Flood, Imap

DONE = b"{tag} OK done\r\n"
MIB = 1 << 20
CAPABILITIES = b"IMAP4rev1 UIDPLUS LITERAL+ SPECIAL-USE LIST-EXTENDED LIST-STATUS"
CONDSTORE = CAPABILITIES + b" CONDSTORE QRESYNC ENABLE UNSELECT"
LISTED = "/folders/inbox/messages"
FOUND = "/folders/inbox/messages?subject=x"
FLAGS = b"* FLAGS (\\Seen)\r\n* OK [PERMANENTFLAGS (\\Seen \\*)] kept\r\n"
VALID = b"* OK [UIDVALIDITY 7] valid\r\n* OK [UIDNEXT 9] next\r\n"


@dataclass
class Case:
    """``paths`` are asked below the account, one after the other, of a server that says this."""

    name: str = "calm"
    server: Imap = field(default_factory=Imap)
    paths: Sequence[str] = ()
    listens: float = 3.0
    """Seconds for which a stream of events is open."""


def _case(
    name: str,
    paths: Sequence[str],
    answers: "dict[str, Answer | Callable[[bytes], Answer]]",
    exists: int = 3,
    capabilities: bytes = CAPABILITIES,
) -> Case:
    return Case(
        name, Imap(exists=exists, uid_validity=7, uid_next=9, capabilities=capabilities, answers=dict(answers)), paths
    )


def _many(line: bytes, times: int, end: bytes = DONE) -> bytes:
    return line * times + end


def _selected(*lines: bytes, exists: bytes = b"3") -> bytes:
    return FLAGS + b"* %b EXISTS\r\n" % exists + VALID + b"".join(lines) + b"{tag} OK [READ-WRITE] done\r\n"


def _row(
    uid: int,
    *,
    subject: bytes = b'"s"',
    people: bytes = b"NIL",
    structure: bytes = b'("text" "plain" NIL NIL NIL "7bit" 1 1)',
) -> bytes:
    return (
        b'* %d FETCH (UID %d FLAGS () INTERNALDATE "01-Jan-2026 00:00:00 +0000" RFC822.SIZE 9 '
        b"ENVELOPE (NIL %b %b NIL NIL %b NIL NIL NIL NIL) BODYSTRUCTURE %b)\r\n"
    ) % (uid, uid, subject, people, people, structure)


def lists() -> list[Case]:
    listed = {
        "an open quote and escapes": b'* LIST () "/" "' + b'\\"' * 15_000 + b"\r\n",
        "an open quote and escapes, 1 MiB": b'* LIST () "/" "' + b'\\"' * 500_000 + b"\r\n",
        "quotes within quotes": b'* LIST () "/" ' + b'"\\"' * 300_000 + b"\r\n",
        "brackets nobody closes": b'* LIST () "/" ' + b"BODY[ " * 30_000 + b"\r\n",
        "brackets, 1 MiB": b'* LIST () "/" ' + b"BODY[ " * 170_000 + b"\r\n",
        "parentheses, 1 MiB": b"* LIST " + b"(" * 1_000_000 + b"\r\n",
        "300,000 folders": b"".join(b'* LIST () "/" f%d\r\n' % one for one in range(300_000)),
        "9,000 folders": b"".join(b'* LIST () "/" f%d/%d\r\n' % (one % 90, one) for one in range(9_000)),
        "5,000 levels of folders": b'* LIST () "/" "' + b"a/" * 5000 + b'"\r\n',
        "30 MiB of tokens": (b"* LIST " + b"a " * 520_000 + b"\r\n") * 30,
        "30 MiB of empty literals": (b"* LIST () " + b"{0}\r\n" * 150_000 + b"\r\n") * 31,
        "a STATUS of 5,000 digits": b'* LIST () "/" INBOX\r\n* STATUS INBOX (MESSAGES ' + b"9" * 5000 + b")\r\n",
        "a million lines of nothing": b"* a\r\n" * 1_000_000,
        "empty lines": b"\r\n" * 500_000,
        "rights without end": b'* LIST () "/" INBOX\r\n' + b"* MYRIGHTS INBOX lr\r\n" * 200_000,
        "names that escape everything": b'* LIST () "/" "' + b"\\\\" * 60_000 + b'"\r\n',
        "names in broken UTF-7": b'* LIST () "/" "' + b"&AAA" * 200_000 + b'"\r\n',
        "names of line breaks": b'* LIST () "/" {900000}\r\n' + b"\r\n" * 450_000 + b"\r\n",
    }
    return [_case(name, ["/folders"], {"LIST": octets + DONE}) for name, octets in listed.items()]


def counts() -> list[Case]:
    digits = b"9" * 5000
    cases = [
        _case(
            f"{count.decode()} EXISTS",
            [LISTED, FOUND, "/folders/inbox/messages?sort=subject"],
            {"SELECT": _selected(exists=count)},
        )
        for count in (b"9999999999", b"4294967295", b"4294967296", digits, b"1000000")
    ]
    cases += [
        _case(
            f"{code} of 5,000 digits",
            [LISTED, "/folders/inbox/changes"],
            {"SELECT": _selected(b"* OK [%b %b] x\r\n" % (code.encode(), digits))},
            capabilities=CONDSTORE,
        )
        for code in ("UIDNEXT", "UIDVALIDITY", "HIGHESTMODSEQ")
    ]
    rows = {
        "a MODSEQ of 5,000 digits": b"* 1 FETCH (UID 1 FLAGS () MODSEQ (" + digits + b"))\r\n",
        "a size of 5,000 digits": _row(1).replace(b"RFC822.SIZE 9", b"RFC822.SIZE " + digits),
        "a UID of 5,000 digits": _row(1).replace(b"UID 1", b"UID " + digits),
    }
    cases += [
        _case(name, [LISTED, "/folders/inbox/changes"], {"FETCH": row + DONE, "UID FETCH": row + DONE})
        for name, row in rows.items()
    ]
    return cases


def searches() -> list[Case]:
    esearch = CAPABILITIES + b" ESEARCH SORT THREAD=REFERENCES"
    shuffled = b"".join(b" %d" % (one * 2_654_435_761 % 4_294_967_291 + 1) for one in range(70_000))
    found = {
        "31 MiB of the same UID": (b"* SEARCH" + b" 1" * 500_000 + b"\r\n") * 31,
        "ESEARCH of 1:999999": b'* ESEARCH (TAG "A1") UID ALL 1:999999\r\n',
        "ESEARCH of all numbers": b'* ESEARCH (TAG "A1") UID ALL 1:4294967295\r\n',
        "ESEARCH of 400,000 ranges": b'* ESEARCH (TAG "A1") UID ALL '
        + b",".join(b"%d" % (2 * one + 1) for one in range(130_000))
        + b"\r\n",
        "commas": b'* ESEARCH (TAG "A1") UID ALL ' + b"," * 1_000_000 + b"\r\n",
    }
    many = {
        "ESEARCH of 1:999999 of a million": b'* ESEARCH (TAG "A1") UID ALL 1:999999\r\n',
        "ESEARCH of 1:290000 of a million": b'* ESEARCH (TAG "A1") UID ALL 1:290000\r\n',
        "280,000 UIDs in no order": (b"* SEARCH" + shuffled + b"\r\n") * 4,
    }
    cases = [
        _case(name, [FOUND], {"UID SEARCH": octets + DONE}, capabilities=esearch) for name, octets in found.items()
    ]
    cases += [
        _case(
            name,
            [FOUND, "/folders/inbox/messages?hasAttachment=true"],
            {"UID SEARCH": octets + DONE},
            1_000_000,
            esearch,
        )
        for name, octets in many.items()
    ]
    threads = b"* THREAD " + b"(1 2)" * 180_000 + b"\r\n"
    deep = b"* THREAD " + b"(" * 500_000 + b"1" + b")" * 400_000 + b"\r\n"
    return [
        *cases,
        _case("a SORT of a megabyte", ["/folders/inbox/messages?sort=subject"], {"UID SORT": b"* SORT" + b" 1" * 400_000 + b"\r\n" + DONE}, capabilities=esearch),
        *(_case(f"threads, {name}", ["/folders/inbox/messages?q=someInThread:work"], {"UID THREAD": lines + DONE}, capabilities=esearch) for name, lines in (("wide", threads), ("deep", deep))),
    ]  # fmt: skip


def rows() -> list[Case]:
    words = b'"' + b"=?a?b?" * 10_000 + b'"'
    people = b"(" + b'("n" NIL "%d" "example.org")' * 900 + b")"
    leaf = b'("text" "plain" NIL NIL NIL "7bit" 1 1)'
    distinct = (
        b"(" + b"".join(b'("=?utf-8?q?n%d?=" NIL "u%d" "example.org")' % (one, one) for one in range(1500)) + b")"
    )
    rows = {
        "EXPUNGE a million times": b"* 1 EXPUNGE\r\n" * 1_000_000,
        "EXISTS a million times": b"* 3 EXISTS\r\n" * 1_000_000,
        "VANISHED of everything": b"* VANISHED 1:999999\r\n" * 300,
        "VANISHED of many ranges": (b"* VANISHED " + b",".join(b"%d" % (2 * one + 1) for one in range(49_000)) + b"\r\n") * 20,
        "words that are not encoded": b"".join(_row(uid, subject=words, people=b"((" + words + b' NIL "a" "example.org"))') for uid in (1, 2, 3)),
        "people": b"".join(_row(uid, people=people) for uid in (1, 2, 3)),
        "people all different": b"".join(_row(uid, people=distinct) for uid in (1, 2, 3)),
        "100,000 rows of nobody's": b"".join(b"* %d FETCH (UID %d FLAGS (\\Seen))\r\n" % (uid, uid) for uid in range(1, 100_000)),
        "a row of tokens": b"* 1 FETCH (UID 1 " + b"a b " * 250_000 + b")\r\n",
        "parts": _row(1, structure=b"(" + leaf * 25_000 + b' "mixed")'),
        "levels": _row(1, structure=b"(" * 90 + leaf + b' "mixed")' * 90),
        "flags": b"* 1 FETCH (UID 1 FLAGS (" + b"a " * 500_000 + b"))\r\n",
        "a literal of 8 MiB": b"* 1 FETCH (UID 1 BODY[1] {8000000}\r\n" + b"\r\n" * 4_000_000 + b")\r\n",
        "statuses that look like codes": (b"* OK [" + b"a" * 1_000_000 + b"\r\n") * 14,
        "text that never says which": b"* NO " + b"x deleted under " * 60_000 + b"\r\n",
    }  # fmt: skip
    cases = [
        _case(name, [LISTED, f"{LISTED}?limit=200"], {"FETCH": octets + DONE, "UID FETCH": octets + DONE})
        for name, octets in rows.items()
    ]
    page = b"".join(_row(uid, people=b"(" + b'("Ann" NIL "ann" "example.org")' * 20 + b")") for uid in range(1, 201))
    cases.append(_case("200 rows of twenty people", [f"{LISTED}?limit=200"], {"FETCH": page + DONE}, exists=200))
    return cases


def sessions() -> list[Case]:
    vanished = b"* VANISHED (EARLIER) 1:4294967295\r\n" + DONE
    changed = b"".join(b"* %d FETCH (UID %d FLAGS () MODSEQ (9))\r\n" % (uid, uid) for uid in range(1, 110_000)) + DONE
    counted = _selected(b"* OK [HIGHESTMODSEQ 5] x\r\n")
    status = b"* STATUS INBOX (MESSAGES 3 UIDNEXT 9 UIDVALIDITY 7 HIGHESTMODSEQ %d)\r\n" + DONE
    cases = [
        _case("capabilities, 1 MiB", ["/folders"], {"CAPABILITY": b"* CAPABILITY IMAP4rev1 " + b"A " * 500_000 + b"\r\n" + DONE, "LOGIN": DONE}),
        _case("flags of the folder, 1 MiB", [LISTED], {"SELECT": _selected(b"* FLAGS (" + b"a " * 500_000 + b")\r\n")}),
        _case("codes of the folder", [LISTED], {"SELECT": _selected(b"* OK [PERMANENTFLAGS (" + b"a " * 500_000 + b")] x\r\n")}),
        _case("quotas and rights", ["/quota", "/folders/inbox/acl"], {
            "GETQUOTAROOT": b'* QUOTA "" (' + b"STORAGE 1 2 " * 80_000 + b")\r\n" + DONE,
            "GETACL": b"* ACL INBOX " + b"a lr " * 200_000 + b"\r\n" + DONE,
        }, capabilities=CAPABILITIES + b" QUOTA ACL"),
        _case("namespaces", ["/folders"], {"NAMESPACE": b'* NAMESPACE (("" "/")) NIL (' + b'("p" "/")' * 90_000 + b")\r\n" + DONE}, capabilities=CAPABILITIES + b" NAMESPACE"),
    ]  # fmt: skip
    for name, octets in (("gone", vanished), ("changed", changed)):
        counts = iter(range(5, 10_000))

        def stated(_: bytes, counts: Iterator[int] = counts) -> bytes:
            return status % next(counts)

        server: dict[str, Answer | Callable[[bytes], Answer]] = {
            "SELECT": counted,
            "STATUS": stated,
            "UID FETCH": octets,
        }
        paths = ["/folders/inbox/changes", "/folders/inbox/changes?since={token}"]
        cases.append(_case(f"changes: everything {name}", paths, server, capabilities=CONDSTORE))
    return cases


def news() -> list[Case]:
    """Floods while nobody asks: in IDLE, and under NOTIFY."""

    def flood(line: bytes) -> Answer:
        return [b"+ idling\r\n", Flood(line)]

    status = b"* STATUS INBOX (MESSAGES 3 UIDNEXT 9 UIDVALIDITY 7)\r\n"
    idle = CAPABILITIES + b" IDLE"
    return [
        _case("EXISTS without end in IDLE", ["/events"], {"IDLE": flood(b"* 3 EXISTS\r\n")}, capabilities=idle),
        _case("flags without end in IDLE", ["/events"], {"IDLE": flood(b"* 1 FETCH (FLAGS (\\Seen))\r\n")}, capabilities=idle),
        _case("long lines without end in IDLE", ["/events"], {"IDLE": flood(b"* OK " + b"x" * 100_000 + b"\r\n")}, capabilities=idle),
        _case("STATUS without end under NOTIFY", ["/events"], {"NOTIFY": [DONE, Flood(status)]}, capabilities=idle + b" NOTIFY"),
    ]  # fmt: skip


def cases() -> list[Case]:
    """All of them."""
    return [*lists(), *counts(), *searches(), *rows(), *sessions(), *news()]
