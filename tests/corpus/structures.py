"""Messages of many parts, whole and broken (RFC 2046)."""

from tests.corpus.letter import Letter, written

MIXED = 'Content-Type: multipart/mixed; boundary="b"\n'
PDF = "Content-Type: application/pdf\nContent-Transfer-Encoding: base64\nContent-Disposition: attachment; filename=a.pdf\n"
INNER = "From: cleo@example.org\nSubject: inner\n"
_TREE = """\
--b
Content-Type: multipart/alternative; boundary=bb

--bb

in words
--bb
Content-Type: multipart/related; boundary=bbb

--bbb
Content-Type: text/html

<p>in colour <img src="cid:pixel@example.org"></p>
--bbb
Content-Type: image/png; name=pixel.png
Content-ID: <pixel@example.org>
Content-Disposition: inline
Content-Transfer-Encoding: base64

iVBORw0KGgo=
--bbb--
--bb--
"""
_REPORT = """\
--b

It was not delivered.
--b
Content-Type: message/delivery-status

Reporting-MTA: dns; mx.example.org

Final-Recipient: rfc822; nobody@example.org
Action: failed
Status: 5.1.1
--b
Content-Type: text/rfc822-headers

Subject: what was sent
--b--
"""
_DEEP = "".join(f"Content-Type: multipart/mixed; boundary=d{n}\n\n--d{n}\n" for n in range(150))
_MANY = "".join(f"--b\n\npart {n}\n" for n in range(1200))

STRUCTURES: tuple[Letter, ...] = (
    written("plain", case="R-MIME-02", text="Hello."),
    Letter(
        name="unix-lines",
        octets=b"From: ann@example.org\nSubject: unix-lines\n\nfirst\nsecond\n",
        case="R-MIME-21",
        subject="unix-lines",
        senders=("ann@example.org",),
        text="first second",
    ),
    Letter(
        name="mixed-lines",
        octets=b"From: ann@example.org\r\nSubject: mixed-lines\n\r\nfirst\nsecond\r\nthird\rstill third\r\n",
        case="R-MIME-21",
        subject="mixed-lines",
        text="first second third still third",
    ),
    written("no-last-line-end", b"no end", case="R-MIME-21", text="no end"),
    Letter(name="header-alone", octets=b"Subject: header-alone\r\n", case="R-MIME-05", subject="header-alone", text=""),
    Letter(name="no-header", octets=b"\r\nwords and no header\r\n", case="R-MIME-05", text="words and no header"),
    Letter(
        name="mbox-line",
        octets=b"From ann@example.org Thu Oct  1 09:30:00 2026\nSubject: mbox-line\n\nkept\n",
        case="R-MIME-07",
        subject="mbox-line",
        text="kept",
    ),
    written(
        "alternative",
        "--b\n\nin words\n--b\nContent-Type: text/html\n\n<p>in colour</p>\n--b--\n",
        case="R-MIME-02",
        more=MIXED.replace("mixed", "alternative"),
        outline="0 multipart/alternative, 1 text/plain, 2 text/html",
        text="in words",
    ),
    written(
        "attachment",
        f"--b\n\nsee file\n--b\n{PDF}\nJVBERi0xLjQK\n--b--\n",
        case="R-MIME-02",
        more=MIXED,
        outline="0 multipart/mixed, 1 text/plain, 2 application/pdf",
        text="see file",
        files=("a.pdf",),
        content=("2", b"%PDF-1.4\n"),
    ),
    written(
        "tree",
        f"{_TREE}--b\n{PDF}\nJVBERi0xLjQK\n--b--\n",
        case="R-MIME-02",
        more=MIXED,
        outline="0 multipart/mixed, 1 multipart/alternative, 1.1 text/plain, 1.2 multipart/related,"
        " 1.2.1 text/html, 1.2.2 image/png, 2 application/pdf",
        text="in words",
        files=("pixel.png", "a.pdf"),
        content=("1.2.2", b"\x89PNG\r\n\x1a\n"),
    ),
    written(
        "message-within",
        f"--b\n\nforwarded\n--b\nContent-Type: message/rfc822\n\n{INNER}\ninner words\n--b--\n",
        case="R-MIME-02",
        more=MIXED,
        outline="0 multipart/mixed, 1 text/plain, 2 message/rfc822, 2.1 text/plain",
        text="forwarded",
        content=("2.1", b"inner words"),
    ),
    written(
        "message-alone",
        f"{INNER}Content-Type: multipart/mixed; boundary=i\n\n--i\n\none\n--i\n\ntwo\n--i--\n",
        case="R-MIME-02",
        more="Content-Type: message/rfc822\n",
        outline="1 message/rfc822, 1.0 multipart/mixed, 1.1 text/plain, 1.2 text/plain",
        content=("1.2", b"two"),
    ),
    written(
        "digest",
        "--b\n\nSubject: one\n\nfirst\n--b\nContent-Type: text/plain\n\nsecond\n--b--\n",
        case="R-MIME-02",
        more=MIXED.replace("mixed", "digest"),
        outline="0 multipart/digest, 1 message/rfc822, 1.1 text/plain, 2 text/plain",
    ),
    written(
        "report",
        _REPORT,
        case="R-MIME-02",
        more=MIXED.replace("mixed", "report; report-type=delivery-status"),
        outline="0 multipart/report, 1 text/plain, 2 message/delivery-status, 3 text/rfc822-headers",
        text="It was not delivered.",
    ),
    written(
        "preamble-and-epilogue",
        "Not shown.\n--b\n\nshown\n--b--\n--b\n\nNot shown either.\n",
        case="R-MIME-05",
        more=MIXED,
        outline="0 multipart/mixed, 1 text/plain",
        text="shown",
    ),
    written(
        "spaced-boundary",
        "--in two words \t\n\nfirst\n--in two words\n\nsecond\n--in two words--  \n",
        case="R-MIME-05",
        more='Content-Type: multipart/mixed; boundary="in two words"\n',
        outline="0 multipart/mixed, 1 text/plain, 2 text/plain",
        content=("2", b"second"),
    ),
    written(
        "boundary-within-boundary",
        "--b\nContent-Type: multipart/mixed; boundary=b-b\n\n--b-b\n\ndeep\n--b-b--\n--b\n\nflat\n--b--\n",
        case="R-MIME-05",
        more=MIXED,
        outline="0 multipart/mixed, 1 multipart/mixed, 1.1 text/plain, 2 text/plain",
        content=("2", b"flat"),
    ),
    written(
        "never-closed",
        "--b\n\nfirst\n--b\n\nsecond\n",
        case="R-MIME-05",
        more=MIXED,
        outline="0 multipart/mixed, 1 text/plain, 2 text/plain",
        content=("1", b"first"),
    ),
    written(
        "closed-from-outside",
        "--b\nContent-Type: multipart/mixed; boundary=i\n\n--i\n\ninner\n--b\n\nouter\n--b--\n",
        case="R-MIME-05",
        more=MIXED,
        outline="0 multipart/mixed, 1 multipart/mixed, 1.1 text/plain, 2 text/plain",
        content=("1.1", b"inner"),
    ),
    written("no-delimiter", "all of it\n", case="R-MIME-05", more=MIXED, outline="0 multipart/mixed"),
    written(
        "no-boundary",
        "all of it\n",
        case="R-MIME-05",
        more="Content-Type: multipart/mixed\n",
        outline="0 multipart/mixed",
        text="all of it",
    ),
    written(
        "empty-parts",
        "--b\n--b\n\n--b\nContent-Type: text/html\n--b--\n",
        case="R-MIME-05",
        more=MIXED,
        outline="0 multipart/mixed, 1 text/plain, 2 text/plain, 3 text/html",
        is_converted=True,
    ),
    written(
        "banner-above",
        f"--b\n\nFrom outside.\n{_TREE}--b--\n",
        case="R-MIME-30",
        more=MIXED,
        outline="0 multipart/mixed, 1 text/plain, 2 multipart/alternative, 2.1 text/plain, 2.2 multipart/related, "
        "2.2.1 text/html, 2.2.2 image/png",
        text="From outside. in words",
        files=("pixel.png",),
        is_converted=True,
    ),
    written(
        "charset-in-the-page",
        '<html><head><meta charset="windows-1251"></head><body>Да</body></html>\n'.encode("cp1251"),
        case="R-MIME-31",
        more="Content-Type: text/html\nContent-Transfer-Encoding: 8bit\n",
        outline="1 text/html",
        text="Да",
        is_converted=True,
    ),
    written(
        "nested-without-end",
        f"--b\n{_DEEP}\nlast\n",
        case="R-MIME-04",
        more=MIXED,
        outline=None,
        warnings=("structure-truncated",),
    ),
    written(
        "parts-without-end",
        f"{_MANY}--b--\n",
        case="R-MIME-05",
        more=MIXED,
        outline=None,
        text="".join(f"part {number} " for number in range(20)),
        warnings=("structure-truncated",),
    ),
)
