"""Header fields as they should be, as they used to be and as nobody should write them (RFC 5322, RFC 2047, RFC 2231)."""

from tests.corpus.letter import PLAIN, Letter, wire, written


def header(
    name: str,
    fields: str | bytes,
    *,
    case: str,
    subject: str | None = None,
    senders: tuple[str, ...] | None = None,
    sent: str | None = None,
    warnings: tuple[str, ...] = (),
) -> Letter:
    """A letter with these fields and no others."""
    octets = (fields if isinstance(fields, bytes) else wire(fields)) + b"\r\nHello.\r\n"
    return Letter(
        name=name, octets=octets, case=case, outline=PLAIN, subject=subject, senders=senders, sent=sent, text="Hello.",
        warnings=warnings,
    )  # fmt: skip


def named(name: str, placed: str, file: str) -> Letter:
    """A letter that is one file whose name is given by ``placed``."""
    return written(
        name,
        "octets\n",
        case="R-MIME-17",
        more=f"Content-Type: application/octet-stream\nContent-Disposition: attachment; {placed}\n",
        outline="1 application/octet-stream",
        files=(file,),
    )


_CROWD = ",\n ".join(f"Person {n} <p{n}@example.org>" for n in range(1500))
_COMMENTS = "(" * 500 + ")" * 500

HEADERS: tuple[Letter, ...] = (
    header(
        "words-in-base64",
        "Subject: =?utf-8?B?R3LDvMOfZQ==?= =?utf-8?B?IDIwMjY=?=\n",
        case="R-MIME-10",
        subject="Grüße 2026",
    ),
    header(
        "words-in-q", "Subject: =?iso-8859-1?q?caf=E9_au_lait?= again\n", case="R-MIME-10", subject="café au lait again"
    ),
    header("half-words", "Subject: =?utf-8?q?=C3?= =?utf-8?q?=BC?=\n", case="R-MIME-10", subject="ü"),
    header(
        "words-in-words",
        "Subject: =?utf-8?q?=3D=3Futf-8=3Fq=3Fx=3F=3D?=\n",
        case="R-MIME-10",
        subject="=?utf-8?q?x?=",
    ),
    header(
        "words-unended", "Subject: =?utf-8?q?open and so on\n", case="R-MIME-10", subject="=?utf-8?q?open and so on"
    ),
    header(
        "words-in-an-address",
        "From: =?utf-8?q?J=C3=B6rg?= <joerg@example.org>\n",
        case="R-MIME-10",
        senders=("joerg@example.org",),
    ),
    header("folded", "Subject: one\n two\n\tthree\n", case="R-MIME-07", subject="one two three"),
    header("raw-utf-8", "Subject: 会議 übermorgen\n", case="R-MIME-07", subject="会議 übermorgen"),
    header("no-utf-8", b"Subject: caf\xe9\r\n", case="R-MIME-07", subject="café"),
    header(
        "nul-in-a-field",
        b"Subject: be\0fore\r\nFrom: ann@example.org\r\n",
        case="R-MIME-07",
        senders=("ann@example.org",),
    ),
    header("no-colon", "Subject: kept\nthis is no field\nFrom: ann@example.org\n", case="R-MIME-07", subject="kept"),
    header("no-fields-of-note", "X-Own: 1\n", case="R-MIME-07", senders=(), sent=""),
    header("without-measure", f"X-Long: {'y' * 200_000}\nSubject: behind it\n", case="R-MIME-07"),
    header("many-fields", "".join(f"X-{n}: {n}\n" for n in range(3000)) + "Subject: last\n", case="R-MIME-07"),
    header(
        "group",
        "From: ann@example.org\nTo: Friends: ben@example.org, Cleo <cleo@example.org>;, undisclosed:;\n",
        case="R-MIME-06",
        senders=("ann@example.org",),
    ),
    header("crowd", f"From: ann@example.org\nTo: {_CROWD}\n", case="R-MIME-06", senders=("ann@example.org",)),
    header("comments", f"From: ann@example.org {_COMMENTS}\n", case="R-MIME-06", senders=("ann@example.org",)),
    header(
        "quoted-name",
        'From: "Example, Ann \\"A\\"" <ann@example.org>\n',
        case="R-MIME-06",
        senders=("ann@example.org",),
    ),
    header(
        "angles-around-no-address",
        "From: ann@example.org</field>\nTo: ben@example.org>\n",
        case="R-MIME-06",
        warnings=("display-name-has-address",),
    ),
    header(
        "route",
        "From: Ann <@relay.example.org,@mx.example.org:ann@example.org>\n",
        case="R-MIME-06",
        senders=("ann@example.org",),
    ),
    header(
        "two-senders",
        "From: ann@example.org\nFrom: mallory@example.org\n",
        case="R-MIME-11",
        senders=("ann@example.org", "mallory@example.org"),
        warnings=("multiple-from",),
    ),
    header(
        "address-for-a-name",
        'From: "ceo@example.org" <mallory@mail.example.org>\n',
        case="R-MIME-11",
        senders=("mallory@mail.example.org",),
        warnings=("display-name-has-address",),
    ),
    header(
        "results-of-its-own",
        "Authentication-Results: mx.example.org; dkim=pass; spf=pass\nFrom: mallory@example.org\n",
        case="R-MIME-22",
        senders=("mallory@example.org",),
    ),
    header("date-of-old", "Date: 1 Oct 26 09:30 EST\n", case="R-MIME-20", sent="2026-10-01T09:30:00-05:00"),
    header(
        "date-with-a-comment",
        "Date: Thu, 1 Oct 2026 09:30:00 +0000 (UTC (really))\n",
        case="R-MIME-20",
        sent="2026-10-01T09:30:00+00:00",
    ),
    header("date-of-no-day", "Date: Thu, 31 Feb 2026 25:61:00 +9999\n", case="R-MIME-20", sent=""),
    header("date-of-words", "Date: yesterday\n", case="R-MIME-20", sent=""),
    named("name-continued", "filename*0*=utf-8''%E4%BC%9A; filename*1*=%E8%AD%B0; filename*2=.pdf", "会議.pdf"),
    named("name-in-words", 'filename="=?utf-8?q?=C3=BCber.pdf?="', "über.pdf"),
    named("name-that-climbs", 'filename="../../etc/passwd"', "passwd"),
    named("name-that-turns", "filename*=utf-8''invoice%E2%80%AEfdp.exe", "invoicefdp.exe"),
)
