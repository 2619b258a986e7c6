"""Every error in one shape, and no secret in any of them."""

import asyncio
import time

import httpx
import pytest

from service.accounts.tokens import Sessions
from service.api.problems import BY_NAME
from service.mail.model import Protocol
from tests.api.conftest import Connect, mail, settings_for
from tests.servers.dovecot import PASSWORD, Dovecot

ME = "/v1/accounts/me"
CANARY = "canary-7f3a-password"
MEMBERS = {"type", "title", "status", "detail", "instance", "retryable", "requestId"}


def is_problem(answer: httpx.Response, status: int, name: str) -> dict[str, object]:
    assert answer.headers["content-type"] == "application/problem+json"
    body: dict[str, object] = answer.json()
    assert (answer.status_code, body["type"]) == (status, f"/problems/{name}"), body
    assert body.keys() >= MEMBERS
    assert body["status"] == status
    assert body["requestId"] == answer.headers["x-request-id"]
    assert None not in body.values()
    assert CANARY not in answer.text
    return body


@pytest.mark.parametrize("protocol", ["imap", "pop3"])
async def test_a_wrong_password_is_login_refused(
    connect: Connect, dovecot: Dovecot, protocol: str, capfd: pytest.CaptureFixture[str]
) -> None:
    """R-HTTP-14: neither answer nor log has it."""
    user = dovecot.user()
    async with connect(user, CANARY, Casella_Protocol=protocol) as client:
        body = is_problem(await client.get(ME), 401, "login-refused")
        assert body["retryable"] is False
        new = {"username": user, "password": CANARY, "protocol": protocol}
        is_problem(await client.post("/v1/sessions", json=new), 401, "login-refused")
    out, err = capfd.readouterr()
    assert CANARY not in out + err


@pytest.mark.parametrize(
    ("server", "status", "name"),
    [("dead", 503, "upstream-unavailable"), ("untrusted", 502, "upstream-tls"), ("nowhere", 404, "not-found")],
)
async def test_each_kind_of_unusable_server_has_its_own_problem(
    connect: Connect, server: str, status: int, name: str
) -> None:
    """R-IMAP-15: certificates of unknown issuers, and servers that do not exist."""
    async with connect("user@example.org", CANARY, Casella_Server=server) as client:
        body = is_problem(await client.get(f"{ME}/folders"), status, name)
        assert body.get("upstream", {"protocol": "imap"}) == {"protocol": "imap"}


@pytest.mark.parametrize("server", ["tls", "starttls"])
@pytest.mark.parametrize("protocol", ["imap", "pop3"])
async def test_trusted_tls_works_in_either_form(connect: Connect, dovecot: Dovecot, server: str, protocol: str) -> None:
    async with connect(dovecot.user(), Casella_Server=server, Casella_Protocol=protocol) as client:
        assert (await client.get(ME)).json()["server"] == server


@pytest.mark.parametrize(
    "message", ["x", "m_", "m_AAAA", "..%2f", "%00", "f_DAFwXUlOQk9Y", "m_" + "A" * 2000, "ü", "%252e%252e"]
)
async def test_an_unknown_id_is_404(connect: Connect, dovecot: Dovecot, message: str) -> None:
    """R-HTTP-11: malformed ids of every form, on every route that takes one."""
    async with connect(dovecot.user()) as client:
        for path in ("", "/headers", "/parts/1", "/source", "/flags"):
            is_problem(await client.get(f"{ME}/messages/{message}{path}"), 404, "not-found")
        is_problem(await client.delete(f"{ME}/messages/{message}"), 404, "not-found")
        is_problem(await client.get(f"{ME}/folders/{message}/messages"), 404, "not-found")


async def test_an_id_of_another_account_is_404(connect: Connect, dovecot: Dovecot) -> None:
    """R-HTTP-12: with the same folder, UIDVALIDITY and UID on both sides."""
    mine, theirs = dovecot.user(), dovecot.user()
    for user in (mine, theirs):
        dovecot.append(user, mail())
    async with connect(theirs) as client:
        page = (await client.get(f"{ME}/folders/inbox/messages?limit=1")).json()
        account = (await client.get(ME)).json()["id"]
    async with connect(mine) as client:
        at = f"{ME}/messages/{page['items'][0]['id']}"
        for path in ("", "/headers", "/parts/1", "/source", "/flags"):
            is_problem(await client.get(at + path), 404, "not-found")
        is_problem(await client.delete(at), 404, "not-found")
        is_problem(await client.get(f"{ME}/folders/{page['items'][0]['folderId']}/messages"), 404, "not-found")
        is_problem(await client.get(f"/v1/accounts/{account}/folders"), 404, "not-found")
        assert (await client.get(f"{ME}/folders/inbox/messages")).json()["total"] == 1


@pytest.mark.parametrize("part", ["2", "0", "1.1", "01", "x", "-1", "1.0", "9" * 500, "TEXT", "HEADER", "1.MIME"])
async def test_an_unknown_part_is_404(connect: Connect, dovecot: Dovecot, part: str) -> None:
    """R-HTTP-01: no section but a part's number ever goes out."""
    user = dovecot.user()
    dovecot.append(user, mail())
    async with connect(user) as client:
        [item] = (await client.get(f"{ME}/folders/inbox/messages")).json()["items"]
        body = is_problem(await client.get(f"{ME}/messages/{item['id']}/parts/{part}"), 404, "not-found")
        assert body["what"] == "part"


async def test_no_credentials_or_odd_ones_are_unauthenticated(connect: Connect) -> None:
    odd = [
        "",
        "Basic",
        "Basic !",
        "Basic eA==",
        "Basic /w==",
        "Bearer",
        "Bearer x",
        "Bearer a.b.c.d.e",
        "Digest x",
        "Bearer " + "x" * 20_000,
    ]
    async with connect() as client:
        for value in odd:
            answer = await client.get(ME, headers={"Authorization": value})
            is_problem(answer, 401, "unauthenticated")
            assert "Basic" in answer.headers["www-authenticate"]


async def test_a_password_no_server_could_be_sent_is_422(connect: Connect) -> None:
    """R-POP-11, R-HTTP-01: never on the wire."""
    for secret in ("a\r\nb", "a\0b", "a\nQUIT"):
        async with connect("user@example.org", secret) as client:
            is_problem(await client.get(ME), 422, "invalid-request")
    async with connect() as client:
        body = '{"username":"user@example.org","password":"half a character: \\ud800"}'
        answer = await client.post("/v1/sessions", content=body, headers={"Content-Type": "application/json"})
        is_problem(answer, 422, "invalid-request")


@pytest.mark.parametrize(
    "body",
    [
        "{", "[]", "null", '{"username":1}', '{"username":"u"}', '{"username":"u","password":["' + CANARY + '"]}',
        '{"username":"u","password":"' + CANARY + '","accessToken":"x"}', '{"username":"u","password":"x","extra":"' + CANARY + '"}',
        '{"username":"\\ud800","password":"' + CANARY + '"}', '{"username":"","password":"' + CANARY + '"}', "[" * 100_000,
        '{"username":"u","password":"x","protocol":"smtp"}', '{"username":NaN}', "9" * 100_000,
    ],
)  # fmt: skip
async def test_a_body_that_does_not_fit_is_422_without_its_values(connect: Connect, body: str) -> None:
    """R-HTTP-06, R-HTTP-15."""
    async with connect() as client:
        answer = await client.post("/v1/sessions", content=body, headers={"Content-Type": "application/json"})
        is_problem(answer, 422, "invalid-request")


async def test_a_body_too_large_is_413(connect: Connect) -> None:
    """R-HTTP-06: refused before it is read whole."""
    async with connect() as client:
        answer = await client.post(
            "/v1/sessions", content=b" " * (2 << 20), headers={"Content-Type": "application/json"}
        )
        is_problem(answer, 413, "too-large")


@pytest.mark.parametrize(
    "query",
    ["limit=0", "limit=201", "limit=x", "cursor=x", "cursor=%00", "since=yesterday", "unread=perhaps", "bogus=1", "subject=%00",
     "hasKeyword=a%20b", "hasKeyword=%5C*", "text=" + "x" * 1001],
)  # fmt: skip
async def test_a_query_that_does_not_fit_is_422(connect: Connect, dovecot: Dovecot, query: str) -> None:
    async with connect(dovecot.user()) as client:
        is_problem(await client.get(f"{ME}/folders/inbox/messages?{query}"), 422, "invalid-request")


@pytest.mark.parametrize(
    "value", ['"', "\\", "{5}", "{5+}", "~{5+}", ")", " (", "*", "%", "ü\r\nX LOGOUT", "NIL", "😀"]
)
async def test_search_text_is_only_text(connect: Connect, dovecot: Dovecot, value: str) -> None:
    """R-HTTP-01, R-HTTP-02: nothing in it is a command, and the next request is answered."""
    user = dovecot.user()
    dovecot.append(user, mail())
    async with connect(user) as client:
        for criterion in ("text", "from", "to", "subject"):
            answer = await client.get(f"{ME}/folders/inbox/messages", params={criterion: value})
            assert answer.status_code == 200, answer.text
        assert (await client.get(f"{ME}/folders/inbox/messages")).json()["total"] == 1


async def test_a_cursor_belongs_to_its_list(connect: Connect, dovecot: Dovecot) -> None:
    """R-HTTP-12: not to another filter, folder or account."""
    user = dovecot.user()
    for _ in range(3):
        dovecot.append(user, mail())
    async with connect(user) as client:
        at = f"{ME}/folders/inbox/messages"
        cursor = (await client.get(at, params={"limit": 1})).json()["nextCursor"]
        is_problem(await client.get(at, params={"cursor": cursor, "subject": "hello"}), 422, "invalid-request")
        is_problem(await client.get(f"{ME}/folders/sent/messages", params={"cursor": cursor}), 422, "invalid-request")
        assert len((await client.get(at, params={"cursor": cursor})).json()["items"]) == 2


async def test_unknown_addresses_and_methods_are_problems(connect: Connect) -> None:
    async with connect() as client:
        is_problem(await client.get("/nowhere"), 404, "not-found")
        is_problem(await client.delete("/healthz"), 405, "method-not-allowed")


async def test_every_problem_has_a_page_and_other_names_have_none(connect: Connect) -> None:
    """What the pages say, tests/site/test_problems.py holds."""
    async with connect() as client:
        for name in BY_NAME:
            assert (await client.get(f"/problems/{name}")).status_code == 200
        is_problem(await client.get("/problems/unheard-of"), 404, "not-found")


async def test_a_token_opens_on_any_replica_with_the_key_until_it_expires(connect: Connect, dovecot: Dovecot) -> None:
    """R-HTTP-13: sealed with an old key, accepted by a replica that still has it, rejected by one that does not."""
    user = dovecot.user()
    shared = settings_for(dovecot)
    async with connect(settings=shared) as client:
        made = await client.post("/v1/sessions", json={"username": user, "password": PASSWORD})
        assert made.status_code == 201
        bearer = {"Authorization": f"Bearer {made.json()['token']}"}
        assert made.json()["account"]["username"] == user
        assert PASSWORD not in made.text
    newer = settings_for(dovecot)
    rotated = newer.model_copy(update={"secret_keys": (*newer.secret_keys, *shared.secret_keys)})
    async with connect(settings=rotated) as client:
        assert (await client.get(ME, headers=bearer)).json()["username"] == user
        assert (await client.delete("/v1/sessions/current", headers=bearer)).status_code == 204
    async with connect(settings=newer) as client:
        is_problem(await client.get(ME, headers=bearer), 401, "unauthenticated")
        is_problem(await client.get(f"{ME}?token={made.json()['token']}"), 401, "unauthenticated")


def test_an_expired_token_is_refused() -> None:
    """R-HTTP-13: to the second."""
    from service.accounts.credentials import Credentials
    from service.mail.errors import Unauthenticated

    sessions = Sessions([b"k" * 32], 3600)
    credentials = Credentials("home", Protocol.IMAP, "u", CANARY)
    token, expires = sessions.seal(credentials, now=1_000_000)
    assert sessions.open(token, now=expires - 1) == credentials
    assert CANARY not in repr(credentials)
    with pytest.raises(Unauthenticated):
        sessions.open(token, now=expires)


async def test_a_refused_password_does_not_ride_on_a_live_connection(connect: Connect, dovecot: Dovecot) -> None:
    """Right, wrong, right: each for itself."""
    user = dovecot.user()
    async with connect(user) as client:
        assert (await client.get(ME)).status_code == 200
        wrong = await client.get(ME, auth=httpx.BasicAuth(user, CANARY))
        is_problem(wrong, 401, "login-refused")
        assert (await client.get(ME)).status_code == 200


async def test_many_at_once_each_get_their_own_message(connect: Connect, dovecot: Dovecot) -> None:
    """R-CONC-09: forty requests over four connections, none mixed up."""
    user = dovecot.user()
    for number in range(10):
        dovecot.append(user, mail(f"number {number}"))
    async with connect(user) as client:
        items = (await client.get(f"{ME}/folders/inbox/messages")).json()["items"] * 4
        began = time.monotonic()
        answers = await asyncio.gather(*(client.get(f"{ME}/messages/{item['id']}") for item in items))
        assert [answer.json()["subject"] for answer in answers] == [item["subject"] for item in items]
        assert time.monotonic() - began < 20
