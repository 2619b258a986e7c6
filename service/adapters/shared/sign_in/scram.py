"""Signing in by SCRAM-SHA-256 (RFC 5802, 7677): the password never leaves this machine, and the server has to prove
that it knows it too. The arithmetic is scramp's."""

from base64 import b64decode, b64encode
from binascii import Error
from collections.abc import Collection
from ssl import SSLObject

from scramp import ScramClient, ScramException  # type: ignore[import-untyped]

from service.accounts.credentials import Credentials
from service.adapters.shared.threads import in_thread
from service.mail.errors import UpstreamTls

MECHANISM, BOUND = "SCRAM-SHA-256", "SCRAM-SHA-256-PLUS"
MAX_ITERATIONS = 600_000
"""A fifth of a second of a core. The server names the number; common ones are 4,096 to 100,000."""
_MAX_CHALLENGE = 8 << 10
CANCEL = "*"


class Scram:
    """One exchange: ``begin``, then ``answer`` for each challenge of the server.

    If it ends without ``is_challenged``, the server cannot do SCRAM for this user, as if it has only a hash of another
    kind, and another mechanism may be tried. After an OK call ``require_proof``.
    """

    def __init__(self, client: ScramClient, protocol: str) -> None:
        self._client = client
        self._protocol = protocol
        self.mechanism: str = client.mechanism_name
        self.is_challenged = False
        """Whether the server sent a challenge that could be answered."""
        self.is_proven = False
        """Whether the server has shown that it knows the password."""

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
            return CANCEL

    def _finish(self, text: str) -> str:
        if text.startswith("e="):  # the proof was wrong; the refusal follows (RFC 5802, 7)
            return ""
        self._client.set_server_final(text)
        self.is_proven = True
        return ""

    def require_proof(self) -> None:
        """Raises UpstreamTls if the server said OK without a proof that it knows the password (RFC 5802, 5)."""
        if not self.is_proven:
            text = "The mail server did not prove that it knows the password: it may be an impostor."
            raise UpstreamTls(text, protocol=self._protocol)


def scram(credentials: Credentials, protocol: str, tls: object, offered: Collection[str]) -> Scram | None:
    """An exchange by SCRAM-SHA-256 if the server offers it; None if not, or if the username or password has characters
    that it cannot carry. ``tls`` is the connection's SSLObject, if it has one: the login is bound to it if Python can,
    which is up to TLS 1.2 (RFC 5929, 3), so that it cannot be relayed from another connection."""
    bound = isinstance(tls, SSLObject) and tls.version() == "TLSv1.2"
    mechanisms = [name for name in ((MECHANISM, BOUND) if bound else (MECHANISM,)) if name in offered]
    if not mechanisms:
        return None
    binding = ("tls-unique", tls) if bound else None
    try:
        client = ScramClient(mechanisms, credentials.username, credentials.secret, channel_binding=binding)
    except ScramException:
        return None
    return Scram(client, protocol)


def _decoded(challenge: bytes) -> str:
    if len(challenge) > _MAX_CHALLENGE:
        raise ValueError("too long")
    return b64decode(challenge, validate=True).decode()


def _encoded(text: str) -> str:
    return b64encode(text.encode()).decode()
