"""What mail servers describe otherwise than it is written: text in no charset, addresses without domain, encodings and
names that are not quite right. Each is read here as the message has it."""

from tests.corpus.headers import header
from tests.corpus.letter import PLAIN, Letter, wire, written

_RAW = (
    ("gb2312", "会议通知", "报告"),
    ("gb18030", "會議通知", "北京"),
    ("big5", "功許蓋", "成功"),
    ("shift_jis", "ソフト能力", "予定表"),
    ("euc-jp", "会議表示", "日本語"),
    ("iso-2022-jp", "会議表示", "日本語"),
    ("euc-kr", "안녕하세요", "보고서"),
    ("koi8-r", "Привет мир", "Отчет"),
    ("windows-1251", "Привет мир", "Отчёт"),
    ("windows-1250", "Žluťoučký kůň", "čeština"),
    ("windows-1253", "Καλημέρα", "Αναφορά"),
    ("windows-1255", "שלום עולם", "דוח"),
    ("windows-1256", "مرحبا", "تقرير"),
    ("iso-8859-2", "Žluťoučký kůň", "čeština"),
    ("iso-8859-15", "Œuvre", "zehn €"),
)
"""A charset, a subject and a file name in it."""


def _raw(charset: str, subject: str, name: str) -> Letter:
    """Nothing but the text of a multipart says in which charset the header is, and the names."""
    text = (
        f'From: "{name}" <ann@example.org>\nSubject: {subject}\nContent-Type: multipart/mixed; boundary=b\n\n'
        f"--b\nContent-Type: text/plain; charset={charset}\n\n{subject}\n"
        f'--b\nContent-Type: application/pdf; name="{name}.pdf"\n\n%PDF\n--b--\n'
    )
    return Letter(
        name=f"raw-{charset}",
        octets=text.replace("\n", "\r\n").encode(charset),
        case="R-MIME-33",
        outline="0 multipart/mixed, 1 text/plain, 2 application/pdf",
        subject=subject,
        senders=("ann@example.org",),
        text=subject,
        files=(f"{name}.pdf",),
        is_converted=True,
    )


def _in_pieces(name: str, fields: str, body: str, *, outline: str, files: tuple[str, ...], content: bytes) -> Letter:
    """A letter of one text and one part with these fields, which is part 2 and has this content."""
    return written(
        name,
        f"--b\nContent-Type: text/plain; charset=utf-8\n\nHello.\n--b\n{fields}\n{body}\n--b--\n",
        case="R-MIME-35",
        more="Content-Type: multipart/mixed; boundary=b\n",
        outline=f"0 multipart/mixed, 1 text/plain, 2 {outline}",
        text="Hello.",
        files=files,
        content=("2", content),
    )


DESCRIBED: tuple[Letter, ...] = (
    *(_raw(*each) for each in _RAW),
    header(
        "raw-of-one-text",
        "Subject: Привет\nFrom: Отчёт <ann@example.org>\nContent-Type: text/plain; charset=koi8-r\n".encode(
            "koi8-r", "ignore"
        ),
        case="R-MIME-33",
        subject="Привет",
        senders=("ann@example.org",),
    ),
    header(
        "raw-beside-a-word",
        "To: =?windows-1251?q?=C0?= <ben@example.org>\nSubject: Привет\n".encode("windows-1251"),
        case="R-MIME-33",
        subject="Привет",
    ),
    header(
        "raw-escapes", "Subject: 会議\nFrom: ann@example.org\n".encode("iso-2022-jp"), case="R-MIME-33", subject="会議"
    ),
    header(
        "no-domain",
        'From: ann\nTo: undisclosed-recipients:;\nCc: "Nobody" <>\nReply-To: <mailer-daemon>\n',
        case="R-MIME-34",
        senders=("ann",),
    ),
    header("no-mailbox", "From: Ann Example\nTo: <>\n", case="R-MIME-34", senders=("",)),
    header(
        "words-of-servers",
        "From: missing_domain@example.org\nTo: MISSING_MAILBOX@MISSING_DOMAIN\n",
        case="R-MIME-34",
        senders=("missing_domain@example.org",),
    ),
    header(
        "address-in-a-name",
        "From: ceo@example.org <mallory@mail.example.org>\nTo: a@example.org <b@example.org>, c@example.org\n",
        case="R-MIME-34",
        senders=("mallory@mail.example.org",),
        warnings=("display-name-has-address",),
    ),
    _in_pieces(
        "encoding-with-semicolon",
        "Content-Type: application/pdf; name=a.pdf\nContent-Transfer-Encoding: base64;\n",
        "aGVsbG8=",
        outline="application/pdf",
        files=("a.pdf",),
        content=b"hello",
    ),
    _in_pieces(
        "encoding-with-comment",
        "Content-Type: application/pdf; name=a.pdf\nContent-Transfer-Encoding: quoted-printable (as ever)\n",
        "caf=C3=A9",
        outline="application/pdf",
        files=("a.pdf",),
        content="café".encode(),
    ),
    _in_pieces(
        "name-with-blanks",
        "Content-Type: application/pdf\nContent-Disposition: attachment; filename=the yearly report.pdf\n",
        "%PDF",
        outline="application/pdf",
        files=("the yearly report.pdf",),
        content=b"%PDF",
    ),
    _in_pieces(
        "name-with-a-path",
        'Content-Type: application/pdf\nContent-Disposition: attachment; filename="C:\\temp\\report.pdf"\n',
        "%PDF",
        outline="application/pdf",
        files=("report.pdf",),
        content=b"%PDF",
    ),
    _in_pieces(
        "name-without-type",
        "Content-Type: ; name=report.pdf\nContent-Disposition: attachment\n",
        "%PDF",
        outline="text/plain",
        files=("report.pdf",),
        content=b"%PDF",
    ),
    _in_pieces(
        "message-in-base64",
        "Content-Type: message/rfc822; name=a.eml\nContent-Transfer-Encoding: base64\n",
        "U3ViamVjdDogYQ0KDQpIZWxsby4=",
        outline="message/rfc822",
        files=("a.eml",),
        content=b"Subject: a\r\n\r\nHello.",
    ),
    written(
        "part-without-header",
        "--b\nAll of this is text.\n--b--\n",
        case="R-MIME-35",
        more="Content-Type: multipart/mixed; boundary=b\n",
        outline="0 multipart/mixed, 1 text/plain",
        text="All of this is text.",
    ),
    written(
        "boundary-behind-two-semicolons",
        "--b\n\nHello.\n--b--\n",
        case="R-MIME-35",
        more="Content-Type: multipart/mixed;; boundary=b\n",
        outline="0 multipart/mixed, 1 text/plain",
        text="Hello.",
    ),
    written(
        "boundary-with-equals",
        "------=_a\n\nHello.\n------=_a--\n",
        case="R-MIME-35",
        more="Content-Type: multipart/mixed; boundary=----=_a\n",
        outline="0 multipart/mixed, 1 text/plain",
        text="Hello.",
    ),
    written(
        "boundary-that-is-lost",
        "Hello.\n",
        case="R-MIME-35",
        more="Content-Type: multipart/mixed; boundary=b\n",
        outline="0 multipart/mixed",
        text="Hello.",
    ),
    Letter(
        name="no-header-at-all",
        octets=wire("Hello.\n\nThis is all.\n"),
        case="R-MIME-35",
        outline=PLAIN,
        senders=(),
        text="Hello. This is all.",
    ),
    Letter(
        name="junk-before-the-header",
        octets=wire("HTTP/1.1 200 OK\nSubject: junk\nFrom: ann@example.org\n\nHello.\n"),
        case="R-MIME-35",
        outline=PLAIN,
        subject="junk",
        senders=("ann@example.org",),
        text="Hello.",
    ),
    header("utf-8-cut", "Subject: Привет, мир".encode()[:-1] + b"\r\n", case="R-MIME-36", subject="Привет, ми\ufffd"),
    header(
        "utf-8-and-more",
        "Subject: Grüße aus Köln ".encode() + b"\xff\n",
        case="R-MIME-36",
        subject="Grüße aus Köln \ufffd",
    ),
    header("word-cut", "Subject: next =?utf-8?B?8J+R?=\n", case="R-MIME-36", subject="next \ufffd"),
)
