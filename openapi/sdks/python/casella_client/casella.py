"""The client."""

import time
from collections.abc import Callable, Iterable, Iterator
from copy import copy
from http import HTTPStatus
from itertools import count
from typing import Any, Generic, NamedTuple, TypeVar
from urllib.parse import quote

import urllib3

from casella_client.api import (
    AccountsApi,
    ChangesApi,
    DraftsApi,
    FetchesApi,
    FoldersApi,
    HealthApi,
    ImportsApi,
    MessagesApi,
    PeopleApi,
    PushApi,
    SendingApi,
    SessionsApi,
    SettingsApi,
)
from casella_client.api_client import ApiClient
from casella_client.configuration import Configuration
from casella_client.events import AccountEvent, read_events
from casella_client.models import ImportResult, NewImport, NewSession, Session, SubscriptionCode
from casella_client.problem import ApiProblem, problem_of
from casella_client.push import Push, Verification
from casella_client.rest import RESTResponse
from casella_client.retries import RETRIES, Retries
from casella_client.version import __version__

T = TypeVar("T")
_REPEATABLE = frozenset({"GET", "HEAD", "PUT", "DELETE"})
_TIMEOUT = (10.0, 90.0)
"""Seconds to connect, and to wait for octets. The service takes less for the slowest mail server."""


class Answer(NamedTuple, Generic[T]):
    """The answer to a conditional request. ``value`` is None if nothing changed."""

    value: T | None
    etag: str | None
    is_unchanged: bool


class Apis:
    """The generated calls, by tag."""

    def __init__(self, client: ApiClient) -> None:
        self.accounts = AccountsApi(client)
        self.changes = ChangesApi(client)
        self.drafts = DraftsApi(client)
        self.fetches = FetchesApi(client)
        self.folders = FoldersApi(client)
        self.health = HealthApi(client)
        self.imports = ImportsApi(client)
        self.messages = MessagesApi(client)
        self.sending = SendingApi(client)
        self.people = PeopleApi(client)
        self.push = PushApi(client)
        self.settings = SettingsApi(client)
        self.sessions = SessionsApi(client)


class Casella(Apis):
    """A client of one service, for one account: ``Casella(url)`` and ``sign_in``, or ``Casella(url, token)``.

    With ``username`` and ``password`` a mailbox's own credentials are sent with every request in place of a token.
    ``on_token`` is called with each new token: after ``sign_in``, and if the service renews it.
    """

    def __init__(
        self,
        url: str,
        token: str | None = None,
        *,
        username: str | None = None,
        password: str | None = None,
        on_token: Callable[[str], None] | None = None,
        retries: Retries = RETRIES,
        ca_file: str | None = None,
    ) -> None:
        configuration = Configuration(
            host=url.rstrip("/"), username=username, password=password, access_token=token, ssl_ca_cert=ca_file
        )
        self._client = _Client(configuration, retries, on_token)
        super().__init__(self._client)

    @property
    def token(self) -> str | None:
        """The session token in use."""
        return self._client.token

    def sign_in(self, new_session: NewSession) -> Session:
        """Sign in and use the token from then on."""
        session = self.sessions.create_session(new_session)
        self._client.renew(session.token)
        return session

    def sign_out(self) -> None:
        """End the session. Its token is forgotten, even if the service cannot be reached."""
        try:
            self.sessions.delete_session()
        finally:
            self._client.token = None

    def if_changed(self, etag: str | None, call: Callable[[Apis], T]) -> Answer[T]:
        """Repeat a call only if its result has changed:
        ``if_changed(etag, lambda apis: apis.folders.list_folders("me"))``. Without an ETag it is made in any case."""
        client = self._client.conditional(etag)
        try:
            value = call(Apis(client))
        except _Unchanged:
            return Answer(None, etag, is_unchanged=True)
        return Answer(value, client.etag, is_unchanged=False)

    def confirm(self, push: Push, account: str = "me") -> Verification | None:
        """Verify the subscription if the push asks for it. Store what is returned, and ``renew`` with it."""
        if push.verification is not None:
            self.push.verify_subscription(account, push.verification.id, SubscriptionCode(code=push.verification.code))
        return push.verification

    def renew(self, verification: Verification, account: str = "me") -> bool:
        """Let the subscription live seven days more. False if it has ended: subscribe again."""
        try:
            self.push.verify_subscription(account, verification.id, SubscriptionCode(code=verification.code))
        except ApiProblem as problem:
            if problem.status != HTTPStatus.NOT_FOUND:
                raise
            return False
        return True

    def import_all(
        self, new_import: NewImport, each: Callable[[ImportResult], object] = lambda _: None, account: str = "me"
    ) -> ImportResult:
        """Import mail of another mailbox to the end, in as many requests as it takes. ``each`` gets the result of each.
        If this is broken off, the same import goes on later: nothing is copied twice."""
        while True:
            result: ImportResult = self.imports.import_mail(account, new_import)
            each(result)
            if result.is_done:
                return result
            time.sleep(result.retry_after or 0)
            new_import = NewImport(token=result.token, seconds=new_import.seconds)

    def events(
        self, account: str = "me", folders: Iterable[str] = (), last_event_id: str = ""
    ) -> Iterator[AccountEvent]:
        """The changes of an account, without end: a stream that breaks is continued after its last event."""
        query = {"folders": ",".join(folders)}
        path = f"/v1/accounts/{quote(account, safe='')}/events"
        client = self._client
        return read_events(lambda headers: client.stream(path, query, headers), last_event_id, client.retries)


class _Unchanged(Exception):
    """The response is 304."""


class _Client(ApiClient):
    """Sends requests as the account, and repeats those that may succeed later."""

    def __init__(self, configuration: Configuration, retries: Retries, on_token: Callable[[str], None] | None) -> None:
        configuration.retries = False  # done here
        super().__init__(configuration)
        self.user_agent = f"casella-client-python/{__version__}"
        self.retries = retries
        self.etag: str | None = None
        self._on_token = on_token
        self._is_conditional = False

    @property
    def token(self) -> str | None:
        token: str | None = self.configuration.access_token
        return token

    @token.setter
    def token(self, token: str | None) -> None:
        self.configuration.access_token = token

    def renew(self, token: str) -> None:
        if token == self.token:
            return
        self.token = token
        if self._on_token is not None:
            self._on_token(token)

    def conditional(self, etag: str | None) -> "_Client":
        """The same client; it sends the ETag, and keeps that of the response."""
        client = copy(self)
        client.etag = etag
        client._is_conditional = True
        return client

    def call_api(
        self,
        method: str,
        url: str,
        header_params: dict[str, str] | None = None,
        body: Any = None,
        post_params: Any = None,
        _request_timeout: Any = None,
    ) -> RESTResponse:
        headers = dict(header_params or {})
        if self._is_conditional and self.etag is not None:
            headers["If-None-Match"] = self.etag
        is_repeatable = method in _REPEATABLE or "Idempotency-Key" in headers
        attempts = self.retries.attempts if is_repeatable else 1
        timeout = _request_timeout or _TIMEOUT
        for attempt in count(1):
            demanded = 0.0
            try:
                response = self._once(method, url, dict(headers), body, post_params, timeout)
            except urllib3.exceptions.HTTPError:
                if attempt >= attempts:
                    raise
            else:
                if response.status < 400:
                    return self._kept(response)
                problem = problem_of(response.response)
                demanded = problem.retry_after
                if not problem.retryable or attempt >= attempts or demanded > self.retries.longest_wait:
                    raise problem
            time.sleep(self.retries.wait_after(attempt, demanded))
        raise AssertionError

    def _once(self, method: str, url: str, headers: dict[str, str], *rest: Any) -> RESTResponse:
        sent = self.token
        response = super().call_api(method, url, headers, *rest)
        self._learn(sent, response.response)
        return response

    def _learn(self, sent: str | None, response: urllib3.BaseHTTPResponse) -> None:
        """Take a new session token; not after a sign-out, nor after a newer one."""
        token = response.headers.get("Casella-Token")
        if token and sent == self.token:
            self.renew(token)

    def _kept(self, response: RESTResponse) -> RESTResponse:
        if self._is_conditional:
            if response.status == 304:
                raise _Unchanged
            self.etag = response.headers.get("ETag")
        return response

    def stream(self, path: str, query: dict[str, str], headers: dict[str, str]) -> urllib3.BaseHTTPResponse:
        """One attempt, with a body that is not read yet."""
        sent = self.token
        _, url, given, *_ = self.param_serialize(
            "GET",
            path,
            query_params=[(name, value) for name, value in query.items() if value],
            header_params=headers,
            auth_settings=["basic", "bearer"],
        )
        response: urllib3.BaseHTTPResponse = self.rest_client.pool_manager.request(
            "GET", url, headers=given, preload_content=False, timeout=urllib3.Timeout(*_TIMEOUT)
        )
        self._learn(sent, response)
        return response
