"""Finds code that pays more than linear time for its input: short texts of a grammar, repeated n, 2n and 4n times.

    for each in growth(parse_addresses, MAIL, (16 << 10, 32 << 10, 64 << 10)):
        print(each)          # b'(' 1.1 ms, 4.4 ms, 17.8 ms at 16384, 32768, 65536 octets

``function`` takes octets and may raise what it raises for bad input: only its time counts, in CPU seconds of the thread,
so a machine that does other things too changes nothing. Sizes should double, and stay below the limits the function has
of its own: behind a limit everything is linear.
"""

import gc
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from time import thread_time
from typing import NamedTuple

LONG = bool(os.environ.get("CASELLA_PUMPS"))
"""Whether to take half an hour: larger sizes, and pairs of prefixes. ``CASELLA_PUMPS=1 python -m pytest -k pumped``."""
FLOOR = 0.04
"""Seconds. Whatever takes less than this at the largest size does no harm, however it grows."""
MOST = 10.0
"""How much more four times the input may take: linear work takes 4 times as long, quadratic work 16 times."""
MOST_DOUBLED = 2.8
"""And twice the input: a step from one way of working to another shows once, growth shows at every doubling."""
TRIES = 4

# What mail's grammars begin, end, separate, escape and encode with.
HEADERS = (
    b"=?", b"?=", b"=?a?b?", b"=?a?b? ", b"=?a?q?x?=", b"=?u?b?YQ?=", b"=?a?b?YQ?= =?b?q?x?= ", b"=?u?b?YQ==?=", b'"',
    b"\\", b'\\"', b'"\\', b'""', b"(", b"()", b")", b"<", b"<>", b"<a", b"<a>", b"<a@b>", b",", b", ", b";", b"; ", b":", b":;",
    b"a:", b"@", b"a@b,", b"a@b ", b".", b"a.", b"a .", b"*", b"*0=", b"*0=a;", b"x*0*=%41;", b";x=", b";=", b"=", b"= ", b"%",
    b"%41", b"[", b"[]", b"[a] ", b"re:", b"fwd:", b"[fwd:", b"(fwd)", b"a", b"a ", b"/", b"\\/", b"'", b"''", b"\r\n ", b"\n ",
    b"\r\n", b"\n", b"\r", b"\t", b" ", b"\0", b"\xff", b"a:b\n", b"A: b\r\n", b"a\n", b"From a\n", b"9", b"9 ", b"jan ", b"1 jan ",
    b"from:", b"from:(", b"\xc3\xa9", b"\xef\xbc\xa0", b"\x1b$B",
)  # fmt: skip
HTML = (
    b"&", b"&#", b"&#x", b"&a", b"&lt", b"&lt;", b"&amp", b"&nbsp;", b"&nbsp", b"&#160;", b"&#xa9;", b"&notit;", b"\xa0", b"\xa0x",
    b"\xbb ", b"<", b"</", b"<a", b"</a", b"</a>", b"<a>", b"<p>", b"<p ", b"<b><p>", b"x<b>", b"<table>", b"<table>x", b"<tr>", b"<td>", b"<li>", b"<select><option>", b"<a =", b'<a x="',
    b"<a x='", b"<a x=", b"<a/", b"<a x>", b"<!", b"<!--", b"<!-->", b"<!--->", b"-->", b"<?", b"<![CDATA[", b"<style>", b"</style>", b"<style", b"<script>",
    b"<title>", b"<textarea>", b"<svg>", b"<math>", b"<br>", b"<div>", b"<div></span>", b"<img src=//a>", b"<a href=//a>",
    b"<p style=a:b>", b"<p style='", b">", b'"', b"'", b"=", b"a", b" ", b"\n", b"\0", b"-", b"--", b"{", b"}", b"/*", b"*/", b"url(", b"url(x)",
)  # fmt: skip
STYLES = (
    b"{", b"}", b"/*", b"*/", b"url(", b"url(x)", b"url('", b"a:b;", b"color:red;", b"color:", b";", b":;", b"\\", b"\\/", b'\\"', b'"\\', b'"', b"'",
    b"(", b"()", b"rgb(", b"rgb(1)", b"-", b"- ", b"-1", b"1", b"1.", b".", b"1e", b"#", b"#a", b" ", b"a", b"a ", b",", b"%", b"font:1 ", b"width:1px;",
)  # fmt: skip
BODIES = (
    b"--", b"-", b"-\n", b"--\n", b"--b\n", b"--b--\n", b"--b\n\n", b"--b x\n", b"--b\tx\n", b"--bb\n", b"\n--", b"\r\n--b\r\n", b"\n", b"\r\n", b"\r", b" ", b" \n",
    b"\n ", b"\t\n", b"=", b"=\n", b"=\r", b"=0D", b"=0", b"= \n", b"QQ==", b"QUJD", b"Q", b"QUJD\r\n", b"begin \n", b"end\n", b"M", b"M\n", b"a\n", b"a:b\n",
    b"\0", b"\xff", b"~{", b"+", b"+A", b"+AA-", b"\x1b$B", b"\x1b(", b"\x0e\xff", b"\x8e\x81", b"\xed\xa0\x80", b"--b\nContent-Type: multipart/mixed; boundary=b\n\n",
    b"Content-Type: message/rfc822\n\n", b"--b\nA: b\n", b"--b\nA: b\n--c\n",
)  # fmt: skip
SEARCHES = (
    b'"', b"\\", b'\\"', b'"\\', b'""', b'"a"', b"(", b")", b"()", b"(a)", b"((", b"(a", b"a", b"a ", b"-", b"-a ", b"--", b"not ", b"or ", b"and ", b"a or ",
    b"a and ", b"(a or b) ", b"(a or ", b"from:", b"from:(", b"from:a ", b"header:", b"header:a:", b"size:", b"size:>1 ", b"since:", b":", b"a:", b"formm:", b"x:y ",
    b"http://", b"9", b"9.", b" ", b"\xe2\x80\x9c", b"\xe3\x80\x80",
)  # fmt: skip
MAIL = tuple(dict.fromkeys((*HEADERS, *HTML, *STYLES, *BODIES)))


class Growth(NamedTuple):
    """What one prefix took at each size, at best."""

    prefix: bytes
    sizes: tuple[int, ...]
    seconds: tuple[float, ...]

    @property
    def is_linear(self) -> bool:
        first, middle, last = self.seconds
        return last < FLOOR or last <= MOST * first or last <= MOST_DOUBLED * middle

    def __str__(self) -> str:
        took = ", ".join(f"{each * 1000:.1f} ms" for each in self.seconds)
        return f"{self.prefix!r} {took} at {', '.join(map(str, self.sizes))} octets"


def pumped(prefix: bytes, size: int) -> bytes:
    """So many octets of it."""
    return (prefix * (size // len(prefix) + 1))[:size]


def growth(
    function: Callable[[bytes], object], prefixes: Iterable[bytes], sizes: Sequence[int], bound: float = 10.0
) -> list[Growth]:
    """Those prefixes whose cost grows faster than their length, or passes ``bound`` seconds at the largest of the three
    ``sizes``. The slowest first."""
    found = [_measured(function, prefix, sizes, bound) for prefix in prefixes]
    return sorted(
        (each for each in found if not each.is_linear or each.seconds[-1] > bound), key=lambda each: -each.seconds[-1]
    )


def slowest(found: Iterable[Growth]) -> Growth:
    """By what the largest size took."""
    return max(found, key=lambda each: each.seconds[-1])


def pairs(prefixes: Sequence[bytes]) -> Iterator[bytes]:
    """Each prefix, and each with every other behind it."""
    yield from prefixes
    for one in prefixes:
        yield from (one + other for other in prefixes if other != one)


def _measured(function: Callable[[bytes], object], prefix: bytes, sizes: Sequence[int], bound: float) -> Growth:
    """The least of several tries: what disturbs one only makes it slower."""
    best = [float("inf")] * len(sizes)
    for _ in range(TRIES):
        for at, size in enumerate(sizes):
            best[at] = min(best[at], _seconds(function, pumped(prefix, size)))
            if best[at] > bound:
                best[at:] = [best[at]] * (len(sizes) - at)
                break
        measured = Growth(prefix, tuple(sizes), tuple(best))
        if (measured.is_linear and best[-1] <= bound) or best[0] > bound:
            break
    return measured


def _seconds(function: Callable[[bytes], object], octets: bytes) -> float:
    gc.disable()
    began = thread_time()
    try:
        with suppress(Exception):
            function(octets)
    finally:
        seconds = thread_time() - began
        gc.enable()
    return seconds
