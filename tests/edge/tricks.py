"""HTTP that two servers may read differently: what each has to become.

``MARKER`` is a request that must never be one: it follows what is refused, and lies within what is answered.
"""

from dataclasses import dataclass

HOST = b"Host: casella.example.org\r\n"
GET = b"GET /healthz HTTP/1.1\r\n" + HOST + b"\r\n"
POST = b"POST /v1/sessions HTTP/1.1\r\n" + HOST + b"Content-Type: application/json\r\n"
CHUNKED = POST + b"Transfer-Encoding: chunked\r\n\r\n"
MARKED = b"smuggled-request"
MARKER = b"GET /v1/servers HTTP/1.1\r\nHost: a\r\nX-Request-Id: " + MARKED + b"\r\n\r\n"
LAST = b"0\r\n\r\n"


def chunk(content: bytes, extension: bytes = b"") -> bytes:
    return b"%x%b\r\n%b\r\n" % (len(content), extension, content)


def sized(content: bytes, more: bytes = b"") -> bytes:
    return POST + more + b"Content-Length: %d\r\n\r\n" % len(content) + content


REFUSED = {
    # lengths
    "both lengths": POST + b"Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "both lengths, other order": POST + b"Transfer-Encoding: chunked\r\nContent-Length: 4\r\n\r\n0\r\n\r\n",
    "both lengths, marker behind the chunks": POST
    + b"Content-Length: 90\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "length twice": POST + b"Content-Length: 2\r\nContent-Length: 2\r\n\r\n{}",
    "two lengths": POST + b"Content-Length: 2\r\nContent-Length: 3\r\n\r\n{}",
    "two lengths in other cases": POST + b"Content-Length: 2\r\ncontent-length: 90\r\n\r\n{}",
    "lengths in one": POST + b"Content-Length: 2, 2\r\n\r\n{}",
    "length with a sign": POST + b"Content-Length: +2\r\n\r\n{}",
    "negative length": POST + b"Content-Length: -2\r\n\r\n{}",
    "length in hex": POST + b"Content-Length: 0x2\r\n\r\n{}",
    "length with a fraction": POST + b"Content-Length: 2.0\r\n\r\n{}",
    "length with an underscore": POST + b"Content-Length: 0_2\r\n\r\n{}",
    "length in other digits": POST + b"Content-Length: \xd9\xa2\r\n\r\n{}",
    "length with a space within": POST + b"Content-Length: 1 2\r\n\r\n{}",
    "length without a number": POST + b"Content-Length:\r\n\r\n{}",
    "length beyond 64 bits": POST + b"Content-Length: 99999999999999999999\r\n\r\n{}",
    "length before a space": POST + b"Content-Length : 2\r\n\r\n{}",
    "length on a folded line": POST + b"Content-Length:\r\n 2\r\n\r\n{}",
    # codings
    "coding identity": POST + b"Transfer-Encoding: identity\r\n\r\n{}",
    "coding of a like name": POST + b"Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n",
    "coding before chunked": POST + b"Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
    "coding after chunked": POST + b"Transfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n",
    "coding twice": POST + b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "coding twice in one": POST + b"Transfer-Encoding: chunked, chunked\r\n\r\n0\r\n\r\n",
    "coding after another field of its name": POST
    + b"Transfer-Encoding: x\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "coding with a parameter": POST + b"Transfer-Encoding: chunked;q=1\r\n\r\n0\r\n\r\n",
    "coding in quotes": POST + b'Transfer-Encoding: "chunked"\r\n\r\n0\r\n\r\n',
    "coding empty": POST + b"Transfer-Encoding:\r\n\r\n0\r\n\r\n",
    "coding after a comma": POST + b"Transfer-Encoding: , chunked\r\n\r\n0\r\n\r\n",
    "coding behind a vertical tab": POST + b"Transfer-Encoding:\x0bchunked\r\n\r\n0\r\n\r\n",
    "coding before NUL": POST + b"Transfer-Encoding: chunked\0\r\n\r\n0\r\n\r\n",
    "coding behind octets beyond ASCII": POST + b"Transfer-Encoding: \xa0chunked\r\n\r\n0\r\n\r\n",
    "coding before a space": POST + b"Transfer-Encoding : chunked\r\n\r\n0\r\n\r\n",
    "coding after a space": POST + b" Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "coding before the line's last space": POST + b"Transfer-Encoding: chunked \r\n\r\n0\r\n\r\n",
    "coding on a folded line": POST + b"Transfer-Encoding:\r\n chunked\r\n\r\n0\r\n\r\n",
    "coding behind LF": POST + b"X: a\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "coding behind CR": POST + b"X: a\rTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "coding in HTTP/1.0": CHUNKED.replace(b"HTTP/1.1", b"HTTP/1.0") + b"0\r\n\r\n",
    # chunks
    "chunk's line ends by LF": CHUNKED + b"2\n{}\r\n0\r\n\r\n",
    "chunk's line ends by CR": CHUNKED + b"2\r{}\r\n0\r\n\r\n",
    "chunk ends by LF": CHUNKED + b"2\r\n{}\n0\r\n\r\n",
    "chunk without an end": CHUNKED + b"2\r\n{}0\r\n\r\n",
    "chunk without a size": CHUNKED + b"\r\n{}\r\n0\r\n\r\n",
    "chunk of a negative size": CHUNKED + b"-2\r\n{}\r\n0\r\n\r\n",
    "chunk's size with a plus": CHUNKED + b"+2\r\n{}\r\n0\r\n\r\n",
    "chunk's size with a prefix": CHUNKED + b"0x2\r\n{}\r\n0\r\n\r\n",
    "chunk's size with an underscore": CHUNKED + b"0_2\r\n{}\r\n0\r\n\r\n",
    "chunk's size before a space": CHUNKED + b"2 \r\n{}\r\n0\r\n\r\n",
    "chunk's size after a space": CHUNKED + b" 2\r\n{}\r\n0\r\n\r\n",
    "chunk beyond 64 bits": CHUNKED + b"10000000000000002\r\n{}\r\n0\r\n\r\n",
    "chunk longer than announced": CHUNKED + b"2\r\n{}XX0\r\n\r\n",
    "chunk's extension with LF": CHUNKED + b"2;a\nb\r\n{}\r\n0\r\n\r\n",
    "chunk's extension with CR": CHUNKED + b"2;a\rb\r\n{}\r\n0\r\n\r\n",
    "chunk's extension without a name": CHUNKED + b"2;\r\n{}\r\n0\r\n\r\n",
    "chunk's extension quoted over lines": CHUNKED + b'2;a="\r\n"\r\n{}\r\n0\r\n\r\n',
    "chunk's extension without a semicolon": CHUNKED + b"2 a=b\r\n{}\r\n0\r\n\r\n",
    "last chunk ends by LF": CHUNKED + b"2\r\n{}\r\n0\n\n",
    # trailers
    "length in a trailer": CHUNKED + b"2\r\n{}\r\n0\r\nContent-Length: 5\r\n\r\n",
    "coding in a trailer": CHUNKED + b"2\r\n{}\r\n0\r\nTransfer-Encoding: chunked\r\n\r\n",
    "connection in a trailer": CHUNKED + b"2\r\n{}\r\n0\r\nConnection: close\r\n\r\n",
    "upgrade in a trailer": CHUNKED + b"2\r\n{}\r\n0\r\nConnection: upgrade\r\nUpgrade: h2c\r\n\r\n",
    "Host in a trailer": CHUNKED + b"2\r\n{}\r\n0\r\nHost: b\r\n\r\n",
    "folded trailer": CHUNKED + b"2\r\n{}\r\n0\r\nX: a\r\n b\r\n\r\n",
    "trailer without a colon": CHUNKED + b"2\r\n{}\r\n0\r\nX\r\n\r\n",
    "trailer with LF": CHUNKED + b"2\r\n{}\r\n0\r\nX: a\nY: b\r\n\r\n",
    # lines
    "lines end by LF": GET.replace(b"\r\n", b"\n"),
    "a line ends by LF": b"GET /healthz HTTP/1.1\r\nHost: a\nX: y\r\n\r\n",
    "a line ends by CR": b"GET /healthz HTTP/1.1\r\nHost: a\rX: y\r\n\r\n",
    "the head ends by LF": GET[:-2] + b"\n",
    "a folded field": b"GET /healthz HTTP/1.1\r\nHost: a\r\nX: a\r\n b\r\n\r\n",
    "a field begins with a space": b"GET /healthz HTTP/1.1\r\n Host: a\r\n\r\n",
    "space before a colon": b"GET /healthz HTTP/1.1\r\nHost : a\r\n\r\n",
    "no colon": b"GET /healthz HTTP/1.1\r\nHost: a\r\nfield\r\n\r\n",
    "no name": b"GET /healthz HTTP/1.1\r\nHost: a\r\n: y\r\n\r\n",
    "NUL in a field": b"GET /healthz HTTP/1.1\r\nHost: a\r\nX: a\0b\r\n\r\n",
    "NUL in a name": b"GET /healthz HTTP/1.1\r\nHost: a\r\nX\0: b\r\n\r\n",
    # hosts
    "no Host": b"GET /healthz HTTP/1.1\r\n\r\n",
    "two Hosts": b"GET /healthz HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n",
    "empty Host": b"GET /healthz HTTP/1.1\r\nHost:\r\n\r\n",
    "two Hosts in one": b"GET /healthz HTTP/1.1\r\nHost: a, b\r\n\r\n",
    "Host with a path": b"GET /healthz HTTP/1.1\r\nHost: a/b\r\n\r\n",
    "Host with a user": b"GET /healthz HTTP/1.1\r\nHost: a@b\r\n\r\n",
    # request lines
    "an absolute address": b"GET http://b.example/healthz HTTP/1.1\r\nHost: a\r\n\r\n",
    "a tunnel": b"CONNECT b.example:443 HTTP/1.1\r\nHost: a\r\n\r\n",
    "HTTP/2": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    "HTTP/1.2": GET.replace(b"1.1", b"1.2"),
    "HTTP/0.9": b"GET /healthz\r\n\r\n",
    "HTTP/1.1 in small letters": GET.replace(b"HTTP", b"http"),
    "a long version": GET.replace(b"1.1", b"1.10"),
    "a space before the method": b" " + GET,
    "a tab in the request's line": GET.replace(b"GET ", b"GET\t"),
    "a method in small letters": GET.replace(b"GET", b"get"),
    "no such method": GET.replace(b"GET", b"GETS"),
    "a space in the address": b"GET /a b HTTP/1.1\r\nHost: a\r\n\r\n",
    "NUL in the address": b"GET /a\0b HTTP/1.1\r\nHost: a\r\n\r\n",
    "CR in the address": b"GET /a\rb HTTP/1.1\r\nHost: a\r\n\r\n",
    "octets beyond ASCII in the address": b"GET /\xff HTTP/1.1\r\nHost: a\r\n\r\n",
    "TLS": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
    "anything": b"\xff" * 100,
}
"""400, and the connection is closed."""


@dataclass(frozen=True)
class Answered:
    """A request with exactly one answer. ``is_last``: the connection is closed after it."""

    octets: bytes
    status: int = 422
    is_last: bool = False


_QUOTED = b'"' + MARKER.replace(b"\r\n", b" ") + b'"'
ANSWERED = {
    "marker as content": Answered(sized(MARKER)),
    "marker as a chunk": Answered(CHUNKED + chunk(MARKER) + LAST),
    "marker in many chunks": Answered(CHUNKED + b"".join(chunk(bytes([octet])) for octet in MARKER) + LAST),
    "marker as a quoted extension": Answered(CHUNKED + chunk(b"{}", b";a=" + _QUOTED) + LAST),
    "marker's fields as trailers": Answered(CHUNKED + chunk(b"{}") + b"0\r\nX-Request-Id: " + MARKED + b"\r\n\r\n"),
    "marker as a trailer's value": Answered(CHUNKED + b"0\r\nX: " + MARKER.replace(b"\r\n", b" ") + b"\r\n\r\n"),
    "marker as a field's value": Answered(sized(b"{}", b"X: " + MARKER.replace(b"\r\n", b" ") + b"\r\n")),
    "marker as content nobody reads": Answered(sized(MARKER).replace(b"/v1/sessions", b"/nowhere"), 404),
    "marker as chunks nobody reads": Answered(
        (CHUNKED + chunk(MARKER) + LAST).replace(b"/v1/sessions", b"/nowhere"), 404
    ),
    "marker as content of a GET": Answered(sized(MARKER).replace(b"POST /v1/sessions", b"GET /healthz"), 200),
    "marker as content of a DELETE": Answered(sized(MARKER).replace(b"POST", b"DELETE"), 405),
    "marker as content of HTTP/1.0": Answered(sized(MARKER).replace(b"HTTP/1.1", b"HTTP/1.0", 1), is_last=True),
    "marker as content that was not asked for": Answered(sized(MARKER, b"Expect: 100-continue\r\n")),
    "marker after the last request": Answered(sized(b"{}", b"Connection: close\r\n") + MARKER, is_last=True),
    "marker after another protocol": Answered(
        sized(b"{}", b"Connection: Upgrade\r\nUpgrade: websocket\r\n") + MARKER, is_last=True
    ),
    "marker after HTTP/1.0": Answered(b"GET /healthz HTTP/1.0\r\n\r\n" + MARKER, 200, is_last=True),
    "marker after an answer without content": Answered(sized(MARKER).replace(b"POST", b"OPTIONS"), 405),
    "length with zeros before it": Answered(POST + b"Content-Length: 0002\r\n\r\n{}"),
    "length between spaces": Answered(POST + b"Content-Length: \t2 \r\n\r\n{}"),
    "size with zeros before it": Answered(CHUNKED + b"000000002\r\n{}\r\n" + LAST),
    "size in capitals": Answered(CHUNKED + b"0A\r\n" + b" " * 10 + b"\r\n" + LAST),
    "coding in capitals": Answered(POST + b"TRANSFER-ENCODING: CHUNKED\r\n\r\n" + chunk(b"{}") + LAST),
    "coding after a tab": Answered(POST + b"Transfer-Encoding: \tchunked\r\n\r\n" + chunk(b"{}") + LAST),
    "coding with an underscore": Answered(sized(b"{}", b"Transfer_Encoding: chunked\r\n")),
    "length with an underscore in its name": Answered(sized(b"{}", b"Content_Length: 90\r\n")),
    "two spaces before the version": Answered(GET.replace(b" HTTP", b"  HTTP"), 200),
    "empty lines before": Answered(b"\r\n\r\n" + sized(b"{}")),
    "last chunk of many zeros": Answered(CHUNKED + chunk(b"{}") + b"0000\r\n\r\n"),
}
"""One answer, and what follows is read as a request of its own, or not at all."""
UNFINISHED = {
    "no content": POST + b"Content-Length: 2\r\n\r\n",
    "less content than announced": POST + b"Content-Length: 999\r\n\r\n" + MARKER,
    "no last chunk": CHUNKED + chunk(MARKER),
    "no empty line after the last chunk": CHUNKED + chunk(MARKER) + b"0\r\n",
    "no end of the last chunk's line": CHUNKED + chunk(MARKER) + b"0",
    "no end of the trailers": CHUNKED + chunk(MARKER) + b"0\r\nX: y\r\n",
    "less than a chunk": CHUNKED + b"fff\r\n" + MARKER,
    "half a size": CHUNKED + b"f",
    "half an extension": CHUNKED + b"f;a=" + _QUOTED,
    "a chunk of almost 64 bits": CHUNKED + b"ffffffffffffffff\r\n" + MARKER,
    "a length of almost 64 bits": POST + b"Content-Length: 18446744073709551615\r\n\r\n" + MARKER,
    "no end of the head": GET[:-2],
}
"""One refusal after a while, unless one before."""
