"""Messages that want something of who reads them."""

from base64 import encodebytes

from tests.corpus.letter import Letter, written

_HTML = "Content-Type: text/html; charset=utf-8\n"
_MIXED = "Content-Type: multipart/mixed; boundary=b\n"


def html(name: str, body: str, *hidden: str, case: str, text: str | None = None) -> Letter:
    """A letter that is one page."""
    return written(name, body + "\n", case=case, more=_HTML, outline="1 text/html", text=text, hidden=hidden)


HOSTILE: tuple[Letter, ...] = (
    html("script", "<p onclick=a()>words<script>a()</script></p>", "script", "onclick", case="R-MIME-12", text="words"),
    html("script-link", '<a href="java\tscript:a()">words</a>', "script:", case="R-MIME-12", text="words"),
    html(
        "page-within", "<iframe srcdoc='<script>a()</script>'></iframe><p>words", "iframe", "srcdoc", case="R-MIME-12"
    ),
    html("drawing", "<svg><a xlink:href='javascript:a()'>words</a></svg>", "svg", "javascript", case="R-MIME-12"),
    html(
        "form", "<form action='https://example.org/'><input name=x><p>words</form>", "form", "input", case="R-MIME-12"
    ),
    html("remote-image", "<p>words<img src='https://example.org/seen.png'>", "example.org", case="R-MIME-13"),
    html("remote-style", "<p style='background:url(//example.org/seen)'>words", "example.org", case="R-MIME-13"),
    html(
        "style-sheet", "<style>@import '//example.org/x';</style><p>words", "@import", "example.org", case="R-MIME-13"
    ),
    html("overlay", "<div style='position:fixed;top:0;z-index:9'>words</div>", "position", "z-index", case="R-MIME-14"),
    written(
        "left-open",
        "--b\nContent-Type: text/html\n\n<p>first<!--\n--b\nContent-Type: text/html\n\n<p>secret\n--b--\n",
        case="R-MIME-15",
        more=_MIXED,
        outline="0 multipart/mixed, 1 text/html, 2 text/html",
        content=("2", b"<p>secret"),
        hidden=("<!--",),
        is_converted=True,
    ),
    written(
        "page-to-open",
        "--b\n\nopen it\n--b\nContent-Type: text/html; name=invoice.pdf.html\nContent-Disposition: attachment\n\n"
        "<script>a()</script>\n--b--\n",
        case="R-MIME-16",
        more=_MIXED,
        outline="0 multipart/mixed, 1 text/plain, 2 text/html",
        text="open it",
        files=("invoice.pdf.html",),
        content=("2", b"<script>a()</script>"),
        hidden=("script",),
    ),
    written(
        "archive",
        encodebytes(b"PK\x03\x04" + b"\0" * 22 + b"../../etc/passwd").replace(b"\n", b"\r\n"),
        case="R-MIME-18",
        more='Content-Type: application/zip; name="a.zip"\nContent-Transfer-Encoding: base64\n',
        outline="1 application/zip",
        files=("a.zip",),
        content=("1", b"PK\x03\x04" + b"\0" * 22 + b"../../etc/passwd"),
    ),
)
