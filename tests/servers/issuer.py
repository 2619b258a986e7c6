"""An issuer of tokens (OAuth 2.0) for tests: it describes itself, and has endpoints to agree, for tokens, for device
codes, and for the mail server that asks whether a token is good. Gone without a trace when it is stopped.

    with Issuer(seconds=5, rotates=True) as issuer, TokenDovecot(issuer) as dovecot:
        refresh = issuer.grant("ann@example.org")     # as if she had agreed
        issuer.withdraw("ann@example.org")            # as if she had thought better of it

With ``grace`` a refresh token that was used works that many seconds longer; after that it is refused, as an issuer does that
accepts each one once.
"""

import json
import threading
import time
from base64 import b64decode, urlsafe_b64encode
from collections import Counter
from dataclasses import dataclass, field
from hashlib import sha256
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from secrets import token_urlsafe
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

from tests.servers.process import HOST, Started
from tests.servers.sink import Sink
from tests.servers.submission import SendingDovecot

CLIENT, SECRET = "casella-test", "client-secret-7d1f"
SCOPE = "mail"
_DEVICE = "urn:ietf:params:oauth:grant-type:device_code"


@dataclass
class _Code:
    user: str
    challenge: str
    redirect_uri: str


@dataclass
class _Device:
    user_code: str
    user: str | None = None
    is_refused: bool = False


@dataclass
class _Refresh:
    user: str
    used_at: float | None = None


class Refused(Exception):
    """What the token endpoint answers as ``error``."""

    def __init__(self, error: str) -> None:
        self.error = error


@dataclass
class Issuer(Started):
    """``seconds`` is the life of an access token. All that it has given is here to look at."""

    seconds: float = 3600
    rotates: bool = True
    grace: float = 0
    delay: float = 0
    """How long the token endpoint takes to answer."""
    asked: Counter[str] = field(default_factory=Counter)
    """How often each grant type was asked for, and how often each error was answered."""
    most_at_once: int = 0
    """Refreshes for one user that were under way together."""

    def __post_init__(self) -> None:
        self.access: dict[str, tuple[str, float]] = {}
        self.refresh: dict[str, _Refresh] = {}
        self.codes: dict[str, _Code] = {}
        self.devices: dict[str, _Device] = {}
        self._under_way: Counter[str] = Counter()
        self._lock = threading.Lock()

    def start(self) -> None:
        issuer = self

        class Handler(_Handler):
            served = issuer

        self._server = ThreadingHTTPServer((HOST, 0), Handler)
        threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True).start()

    def stop(self) -> None:
        self._server.shutdown()
        self._server.server_close()

    @property
    def url(self) -> str:
        return f"http://{HOST}:{self._server.server_address[1]}"

    def grant(self, user: str) -> str:
        """A refresh token for a user who agreed."""
        token = f"refresh-{token_urlsafe(24)}"
        self.refresh[token] = _Refresh(user)
        return token

    def withdraw(self, user: str) -> None:
        """The user's refresh tokens are refused from now on; access tokens live on."""
        with self._lock:
            self.refresh = {token: row for token, row in self.refresh.items() if row.user != user}

    def forget_access(self, user: str) -> None:
        """The user's access tokens are refused from now on, before their time."""
        with self._lock:
            self.access = {token: row for token, row in self.access.items() if row[0] != user}

    def agree(self, user_code: str, user: str) -> None:
        """The user types the code and agrees."""
        next(device for device in self.devices.values() if device.user_code == user_code).user = user

    def refuse(self, user_code: str) -> None:
        """The user types the code and does not agree."""
        next(device for device in self.devices.values() if device.user_code == user_code).is_refused = True

    def is_active(self, token: str) -> str | None:
        """The user of an access token that is good."""
        user, until = self.access.get(token, ("", 0.0))
        return user if time.time() < until else None

    def authorize(self, query: dict[str, str]) -> str:
        """Where the browser is sent once the user, who is the hint, has agreed."""
        assert query["client_id"] == CLIENT
        assert query["code_challenge_method"] == "S256"
        code = token_urlsafe(16)
        self.codes[code] = _Code(query["login_hint"], query["code_challenge"], query["redirect_uri"])
        return f"{query['redirect_uri']}?{urlencode({'code': code, 'state': query['state']})}"

    def begin_device(self) -> dict[str, Any]:
        code, user_code = token_urlsafe(16), token_urlsafe(4).upper()
        self.devices[code] = _Device(user_code)
        place = f"{self.url}/activate"
        return {
            "device_code": code,
            "user_code": user_code,
            "verification_uri": place,
            "expires_in": 600,
            "interval": 1,
        }

    def token(self, form: dict[str, str]) -> dict[str, Any]:
        """The answer of the token endpoint. Raises Refused."""
        kind = form.get("grant_type", "")
        self.asked[kind] += 1
        match kind:
            case "authorization_code":
                return self._given(self._by_code(form))
            case "refresh_token":
                return self._refreshed(form["refresh_token"])
            case str() if kind == _DEVICE:
                return self._given(self._by_device(form["device_code"]))
        raise Refused("unsupported_grant_type")

    def _by_code(self, form: dict[str, str]) -> str:
        code = self.codes.pop(form["code"], None)
        verified = urlsafe_b64encode(sha256(form["code_verifier"].encode()).digest()).rstrip(b"=").decode()
        if code is None or verified != code.challenge or form["redirect_uri"] != code.redirect_uri:
            raise Refused("invalid_grant")
        return code.user

    def _by_device(self, code: str) -> str:
        device = self.devices.get(code)
        if device is None:
            raise Refused("expired_token")
        if device.is_refused:
            raise Refused("access_denied")
        if device.user is None:
            raise Refused("authorization_pending")
        del self.devices[code]
        return device.user

    def _refreshed(self, token: str) -> dict[str, Any]:
        with self._lock:
            row = self.refresh.get(token)
            if row is None or (row.used_at is not None and time.time() > row.used_at + self.grace):
                raise Refused("invalid_grant")
            self._under_way[row.user] += 1
            self.most_at_once = max(self.most_at_once, self._under_way[row.user])
            if self.rotates and row.used_at is None:
                row.used_at = time.time()
        time.sleep(self.delay)
        with self._lock:
            self._under_way[row.user] -= 1
        given = self._given(row.user)
        if not self.rotates:
            del self.refresh[given.pop("refresh_token")]
        return given

    def _given(self, user: str) -> dict[str, Any]:
        access = f"access-{token_urlsafe(24)}"
        with self._lock:
            self.access[access] = user, time.time() + self.seconds
            refresh = self.grant(user)
        return {
            "access_token": access,
            "token_type": "Bearer",
            "expires_in": self.seconds,
            "refresh_token": refresh,
            "scope": SCOPE,
        }


class _Handler(BaseHTTPRequestHandler):
    served: Issuer
    protocol_version = "HTTP/1.1"

    def log_message(self, *_: object) -> None:
        """Nothing is logged."""

    def do_GET(self) -> None:
        parts = urlsplit(self.path)
        url = self.served.url
        match parts.path:
            case "/.well-known/openid-configuration":
                names = ("authorization_endpoint", "token_endpoint", "device_authorization_endpoint")
                places = dict(zip(names, (f"{url}/{path}" for path in ("authorize", "token", "device")), strict=True))
                self._json(200, {"issuer": url, **places})
            case "/authorize":
                place = self.served.authorize({name: values[0] for name, values in parse_qs(parts.query).items()})
                self._answer(302, b"", {"Location": place})
            case _:
                self._json(404, {})

    def do_POST(self) -> None:
        octets = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        form = {name: values[0] for name, values in parse_qs(octets.decode()).items()}
        if self.path == "/introspect":
            user = self.served.is_active(form["token"])
            self._json(200, {"active": True, "username": user, "scope": SCOPE} if user else {"active": False})
        elif not self._is_client():
            self._json(401, {"error": "invalid_client"})
        elif self.path == "/device":
            self._json(200, self.served.begin_device())
        else:
            self._token(form)

    def _token(self, form: dict[str, str]) -> None:
        try:
            self._json(200, self.served.token(form))
        except Refused as refusal:
            self.served.asked[refusal.error] += 1
            self._json(400, {"error": refusal.error, "error_description": "canary-of-the-issuer"})

    def _is_client(self) -> bool:
        scheme, _, value = self.headers.get("Authorization", "").partition(" ")
        return scheme == "Basic" and b64decode(value).decode() == f"{CLIENT}:{SECRET}"

    def _json(self, status: int, answer: dict[str, Any]) -> None:
        self._answer(status, json.dumps(answer).encode(), {"Content-Type": "application/json"})

    def _answer(self, status: int, octets: bytes, headers: dict[str, str]) -> None:
        self.send_response(status)
        for name, value in {**headers, "Content-Length": str(len(octets))}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(octets)


class TokenDovecot(SendingDovecot):
    """A Dovecot that accepts what the issuer gives, by IMAP, POP3 and submission, beside its passwords."""

    def __init__(self, issuer: Issuer, sink: Sink) -> None:
        self._issuer = issuer
        super().__init__(sink.port)

    def _conf(self) -> str:
        file = self.folder / "oauth2.conf"
        file.write_text(_OAUTH2.format(url=self._issuer.url))
        self._give_away(file)
        return super()._conf() + _PASSDB.format(file=file)


_OAUTH2 = """\
introspection_url = {url}/introspect
introspection_mode = post
username_attribute = username
active_attribute = active
active_value = true
"""
_PASSDB = """
passdb {{
  driver = oauth2
  mechanisms = xoauth2 oauthbearer
  args = {file}
}}
"""
