"""Safe HTML, and text from HTML."""

import re

import pytest

from service.mail.mime.html.safe_html import Marked, safe_html, text_from_html, without_marks
from service.mail.mime.html.styles import safe_style

ATTACKS = [
    "<script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    "<svg onload=alert(1)>",
    "<body onload=alert(1)>",
    "<a href='javascript:alert(1)'>x</a>",
    "<a href=' java\nscript:alert(1)'>x</a>",
    "<a href='&#106;avascript:alert(1)'>x</a>",
    "<a href='data:text/html,<script>alert(1)</script>'>x</a>",
    "<a href='vbscript:x'>x</a>",
    "<iframe srcdoc='<script>alert(1)</script>'></iframe>",
    "<object data='data:text/html,x'></object>",
    "<embed src='javascript:alert(1)'>",
    "<form action='https://evil.example'><input name=a><button>b</button></form>",
    "<base href='https://evil.example/'>",
    "<meta http-equiv=refresh content='0;url=https://evil.example'>",
    "<link rel=stylesheet href='https://evil.example/x.css'>",
    "<style>@import url(https://evil.example/x);</style>",
    "<div style='background:url(javascript:alert(1))'>x</div>",
    "<div style='width:expression(alert(1))'>x</div>",
    "<div style='-moz-binding:url(https://evil.example)'>x</div>",
    "<p style='color:\\65xpression(1)'>x</p>",
    "<math><mtext><table><mglyph><style><!--</style><img title='--&gt;&lt;img src=1 onerror=alert(1)&gt;'>",
    "<svg></p><style><a id='</style><img src=1 onerror=alert(1)>'>",
    "<noscript><p title='</noscript><img src=x onerror=alert(1)>'>",
    "<template><script>alert(1)</script></template>",
    "<xmp><script>alert(1)</script></xmp>",
    "<textarea><script>alert(1)</script></textarea>",
    "<title><img src=x onerror=alert(1)></title>",
    "<!--[if gte IE 4]><script>alert(1)</script><![endif]-->",
    "<!-- --!><img src=x onerror=alert(1)>",
    "<img src=`x`onerror=alert(1)>",
    "<img/src='x'/onerror=alert(1)>",
    "<<script>alert(1)//<</script>",
    "<svg><animate xlink:href=#x attributeName=href values=javascript:alert(1) /><a id=x><text>x</text></a>",
    "<svg><feImage href='https://evil.example/x'/></svg>",
    "<svg><use href='data:image/svg+xml,x#y'/></svg>",
    "<details open ontoggle=alert(1)>",
    "<video><source onerror=alert(1)></video>",
    "<marquee onstart=alert(1)>x</marquee>",
    "<input autofocus onfocus=alert(1)>",
    "<select autofocus onfocus=alert(1)></select>",
    "<x onclick=alert(1)>x</x>",
    "<a xlink:href='javascript:alert(1)'>x</a>",
    "<p/onclick=alert(1)>x</p>",
    "<plaintext><script>alert(1)</script>",
    "<form><math><mtext></form><form><mglyph><style></math><img src onerror=alert(1)>",
    "<table><tr><td background='javascript:alert(1)'>x</td></tr></table>",
    "\0<scr\0ipt>alert(1)</script>",
    "<img src='https://evil.example/x",
    "<div style='position:fixed;top:0;left:0;z-index:9'>x</div>",
]
DANGER = re.compile(
    r"<(?:script|svg|math|style|iframe|object|embed|form|input|button|base|meta|link|template|textarea|select)|\son\w+=|"
    r"javascript:|vbscript:|data:text|expression|position|evil\.example/x",
    re.IGNORECASE,
)


@pytest.mark.parametrize("attack", ATTACKS)
def test_nothing_that_runs_survives(attack: str) -> None:
    """R-MIME-12."""
    cleaned = safe_html(attack).html
    tags = "".join(re.findall(r"<[^>]*>", cleaned))
    assert DANGER.search(tags) is None
    assert safe_html(cleaned).html == cleaned


@pytest.mark.parametrize(
    ("html", "url"),
    [
        ("<img src='https://t.example/p.gif' width=1 height=1>", "https://t.example/p.gif"),
        ("<img src='HTTP://t.example/p.gif'>", "HTTP://t.example/p.gif"),
        ("<img src='//t.example/p.gif'>", "//t.example/p.gif"),
        ("<img srcset='https://t.example/a 1x, https://t.example/b 2x'>", "https://t.example/b"),
        ("<table background='https://t.example/b.png'><tr><td>x</td></tr></table>", "https://t.example/b.png"),
        ("<div style='background-image:url(https://t.example/b.png)'>x</div>", "https://t.example/b.png"),
        ("<div style='background:#fff url(\"https://t.example/b.png\")'>x</div>", "https://t.example/b.png"),
        ("<video poster='https://t.example/v.png' src='https://t.example/v'></video>", "https://t.example/v.png"),
        ("<audio src='https://t.example/a'></audio>", "https://t.example/a"),
        ("<picture><source srcset='https://t.example/s'><img src='cid:a'></picture>", "https://t.example/s"),
    ],
)
def test_remote_content_is_taken_out_and_listed(html: str, url: str) -> None:
    """R-MIME-13."""
    safe = safe_html(html)
    assert "t.example" not in safe.html
    assert url in safe.remote


@pytest.mark.parametrize(
    ("html", "marked", "plain"),
    [
        ("<img src='https://t.example/0' width=1>", '<img width="1" data-remote="0">', '<img width="1">'),
        ("<img alt=a src='//t.example/0'>", '<img alt="a" data-remote="0">', '<img alt="a">'),
        ("<video src='https://t.example/0'></video>", '<video data-remote="0"></video>', "<video></video>"),
        ("<p style='color:red;background:url(https://t.example/0)'>x</p>",
         '<p style="color:red" data-remote-style="0">x</p>', '<p style="color:red">x</p>'),
        ("<p style=\"background-image:url('https://t.example/0')\">x</p>", '<p data-remote-style="0">x</p>', "<p>x</p>"),
        ("<p style='color:red;background:url(cid:a)'>x</p>", '<p style="color:red">x</p>', '<p style="color:red">x</p>'),
        ("<img srcset='https://t.example/0 1x'>", "<img>", "<img>"),
        ("<img src='cid:a'>", '<img src="cid:a">', '<img src="cid:a">'),
        ("<img src='javascript:x'>", "<img>", "<img>"),
        ("<p data-remote='0' data-remote-style=1>x</p>", "<p>x</p>", "<p>x</p>"),
        ('<p> data-remote="0"</p>', '<p> data-remote="0"</p>', '<p> data-remote="0"</p>'),
    ],
)  # fmt: skip
def test_what_was_taken_out_can_be_put_back(html: str, marked: str, plain: str) -> None:
    """R-MIME-13: by a mark with the number of its URL. Only the cleaner sets marks."""

    def sorted_attributes(html: str) -> str:
        return re.sub(r"<(\w+)((?: [a-z-]+=\"[^\"]*\")+)>", lambda tag: f"<{tag[1]}{sorted(re.findall(r'[a-z-]+=.[^ ]+', tag[2]))}>", html)  # fmt: skip

    remote: Marked = {}
    cleaned = safe_html(html, remote).html
    assert sorted_attributes(cleaned) == sorted_attributes(marked)
    assert without_marks(cleaned) == plain == safe_html(html).html
    assert list(remote.values()) == list(range(len(remote)))


def test_marks_have_the_numbers_of_their_urls() -> None:
    """R-MIME-13: over several parts; a URL that comes again has its number again. Broken trees are cleaned twice."""
    remote: Marked = {}
    first = safe_html(
        "<img src='https://t.example/a'><img src='https://t.example/b'><table background=//t.example/c><tr><td>", remote
    )
    second = safe_html(
        "<table><img src='https://t.example/b'><p style='background:url(https://t.example/d)'><a href=x><a><li>", remote
    )
    assert list(remote) == ["https://t.example/a", "https://t.example/b", "//t.example/c", "https://t.example/d"]
    assert re.findall(r'data-remote="(\d+)"', first.html) == ["0", "1"]
    assert re.findall(r'data-remote="(\d+)"', second.html) == ["1"]
    assert re.findall(r'data-remote-style="(\d+)"', second.html) == ["3"]
    for cleaned in (first.html, second.html):
        assert "t.example" not in cleaned
        assert "casella" not in cleaned
        assert safe_html(cleaned).html == without_marks(cleaned)


def test_a_mark_is_set_for_each_url_that_is_listed() -> None:
    """R-MIME-13."""
    remote: Marked = {}
    html = safe_html("".join(f"<img src='https://t.example/{number}'>" for number in range(1100)), remote).html
    assert len(remote) == 1000
    assert re.findall(r'data-remote="(\d+)"', html) == [str(number) for number in range(1000)]


def test_images_of_the_mail_itself_stay() -> None:
    """R-MIME-13."""
    assert safe_html("<img src='cid:a@b'>")[:2] == ('<img src="cid:a@b">', ())
    assert safe_html("<img src='data:image/png;base64,AAAA'>")[:2] == ('<img src="data:image/png;base64,AAAA">', ())
    assert safe_html("<img src='data:image/svg+xml;base64,AAAA'>")[:2] == ("<img>", ())
    assert safe_html("<img src='data:image/png;base64," + "A" * 70_000 + "'>")[:2] == ("<img>", ())


@pytest.mark.parametrize("host", ["e@i\ufffdd\r:x", "999.999.999.999", "a b", "[::g]", "x:99999", "\u202e"])
def test_a_link_that_is_not_an_address_even_with_a_scheme_is_removed(host: str) -> None:
    """R-MIME-12: found by fuzzing."""
    cleaned = safe_html(f"<a href='//{host}/p'>x</a>").html
    assert "href" not in cleaned
    assert safe_html(cleaned).html == cleaned


def test_links_open_elsewhere_and_tell_nothing() -> None:
    """R-MIME-13."""
    html = safe_html("<a href='https://example.org/x' id=y class=z name=w onclick=x>x</a>").html
    assert "https://example.org/x" in html
    assert 'rel="noopener noreferrer nofollow"' in html
    assert 'target="_blank"' in html
    assert not any(word in html for word in ("id=", "class=", "name=", "onclick"))


@pytest.mark.parametrize(
    ("style", "kept"),
    [
        ("color:red;POSITION:fixed", "color:red"),
        ("color: rgb(1, 2, 3); top:0", "color:rgb(1, 2, 3)"),
        ("margin:-100px", None),
        ("font-size:900px", None),
        ("font-size:14px", "font-size:14px"),
        ("width:100vw", None),
        ("width:99999px", None),
        ("color:var(--x)", None),
        ("background:#112233", "background:#112233"),
        ("color:#12345678", "color:#12345678"),
        ("content:'x'", None),
        ("z-index:9", None),
        ("nonsense", None),
        ("font-family:'Open Sans',sans-serif", "font-family:'Open Sans',sans-serif"),
        ("color:red/**/", None),
        ("color:re\\64", None),
        ("font: bold 12px/1.5 Arial", "font:bold 12px/1.5 Arial"),
        ("opacity:0", None),
    ],
)
def test_styles_stay_in_their_place(style: str, kept: str | None) -> None:
    """R-MIME-14."""
    assert safe_style(style) == kept


def test_deep_html_comes_back_as_text() -> None:
    """R-MIME-12, R-MIME-19."""
    html = "<div>" * 1000 + "a < b<script>" + "</div>" * 1000
    assert safe_html(html) == ("<div>a &lt; b</div>", (), True)
    assert safe_html("<div>" * 400 + "x").html.startswith("<div><div>")


def test_text_is_read_as_a_person_would() -> None:
    """R-MIME-19."""
    html = (
        "<html><head><title>no</title><style>p{}</style></head><body><p>one <b>two</b>\n three<br>four</p>"
        "<div>five</div><table><tr><td>six</td><td>seven</td></tr></table><ul><li>eight<li>nine</ul>"
        "<a href='https://example.org'>a link</a><script>no()</script>&amp;&nbsp;x</body>"
    )
    assert text_from_html(html) == "one two three\nfour\n\nfive\n\nsix seven\n\neight\nnine\n\na link& x"
    assert text_from_html("") == ""
    assert text_from_html("plain\n words") == "plain words"
