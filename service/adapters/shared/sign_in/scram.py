"""Signing in by SCRAM-SHA-256 (RFC 5802, 7677): the password never leaves this machine, and the server has to prove
that it knows it too. The arithmetic is scramp's."""

from asyncio import BaseTransport
from base64 import b64decode, b64encode
from binascii import Error
from collections.abc import Collection
from enum import Enum, auto
from ssl import SSLObject

from cachetools import TTLCache
from scramp import ScramClient, ScramException  # type: ignore[import-untyped]

from service.accounts.credentials import Credentials
from service.adapters.shared.sign_in.sasl import CANCEL
from service.adapters.shared.threads import in_thread
from service.mail.errors import UpstreamTls

MECHANISM, BOUND = "SCRAM-SHA-256", "SCRAM-SHA-256-PLUS"
MAX_ITERATIONS = 600_000
"""A fifth of a second of a core. The server names the number; common ones are 4,096 to 100,000."""
_MAX_CHALLENGE = 8 << 10


class Scram:
    """One exchange: ``begin``, then ``answer`` for each challenge of the server.

    At its end call ``is_final``: if that is False, the server may have no SCRAM for this user, and another mechanism
    may be tried. ``peer`` is the server's address.
    """

    def __init__(self, client: ScramClient, protocol: str, peer: str) -> None:
        self._client = client
        self._peer = peer
        self._protocol = protocol
        self.mechanism: str = client.mechanism_name
        self.is_challenged = False
        """Whether the server sent a challenge that could be answered."""
        self.is_proven = False
        """Whether the server has shown that it knows the password."""
        self._is_impostor = False

    def begin(self) -> str:
        """The initial response, in base64."""
        return _encoded(self._client.get_client_first())

    async def answer(self, challenge: bytes) -> str:
        """The response to a challenge, both in base64; ``CANCEL`` for one that is wrong or wants too much work."""
        try:
            text = _decoded(challenge)
            if self.is_challenged:
                return self._finish(text)
            self._client.set_server_first(text)
            if self._client.iterations.value > MAX_ITERATIONS:
                return CANCEL
            self.is_challenged = True
            # An iteration costs about as much as the octet of mail that ``in_thread`` counts.
            return _encoded(await in_thread(self._client.get_client_final, self._client.iterations.value))
        except (ScramException, ValueError, Error):
            self._is_impostor = self.is_challenged
            return CANCEL

    def _finish(self, text: str) -> str:
        if text.startswith("e="):  # the proof was wrong; the refusal follows (RFC 5802, 7)
            return ""
        self._client.set_server_final(text)
        self.is_proven = True
        return ""

    def is_final(self, *, is_ok: bool) -> bool:
        """Whether the server's answer decides about the login. A refusal does once SCRAM has worked on this server, so
        that a wrong password is tried once.

        Raises UpstreamTls if the server gave a wrong proof that it knows the password, or said OK without one (RFC
        5802, 5).
        """
        if self._is_impostor or (is_ok and not self.is_proven):
            text = "The mail server did not prove that it knows the password: it may be an impostor."
            raise UpstreamTls(text, protocol=self._protocol)
        if is_ok:
            _verdicts[self._peer] = _Verdict.WORKS
        elif _verdicts.get(self._peer) is not _Verdict.WORKS:
            _verdicts[self._peer] = _Verdict.SUSPECTED
            return False
        return is_ok or self.is_challenged


class _Verdict(Enum):
    WORKS = auto()
    SUSPECTED = auto()
    USELESS = auto()


_verdicts: TTLCache[str, _Verdict] = TTLCache(10_000, 24 * 3600)
"""By address and port, for a day. Some servers offer SCRAM, send a challenge for every user and then refuse all,
because they keep no secrets of its kind (GNU mailutils)."""


def note_success(transport: BaseTransport) -> None:
    """A password was accepted that SCRAM had refused: this server's SCRAM is not tried again."""
    peer = _peer(transport)
    if _verdicts.get(peer) is _Verdict.SUSPECTED:
        _verdicts[peer] = _Verdict.USELESS


def _peer(transport: BaseTransport) -> str:
    return str(transport.get_extra_info("peername"))


def scram(credentials: Credentials, protocol: str, transport: BaseTransport, offered: Collection[str]) -> Scram | None:
    """An exchange by SCRAM-SHA-256 if the server offers it; None if not, if the username or password has characters
    that it cannot carry, or if it did not work on this server. The login is bound to the TLS connection if Python can,
    which is up to TLS 1.2 (RFC 5929, 3), so that it cannot be relayed from another connection."""
    tls = transport.get_extra_info("ssl_object")
    bound = isinstance(tls, SSLObject) and tls.version() == "TLSv1.2"
    mechanisms = [name for name in ((MECHANISM, BOUND) if bound else (MECHANISM,)) if name in offered]
    if not mechanisms or _verdicts.get(_peer(transport)) is _Verdict.USELESS:
        return None
    binding = ("tls-unique", tls) if bound else None
    try:
        client = ScramClient(mechanisms, credentials.username, credentials.secret, channel_binding=binding)
    except ScramException:
        return None
    return Scram(client, protocol, _peer(transport))


def _decoded(challenge: bytes) -> str:
    if len(challenge) > _MAX_CHALLENGE:
        raise ValueError("too long")
    return b64decode(challenge, validate=True).decode()


def _encoded(text: str) -> str:
    return b64encode(text.encode()).decode()
