"""The throwaway Dovecot is what the other tests take it for."""

import imaplib
import poplib
import shutil
import time
from collections.abc import Iterator
from datetime import UTC, datetime

import pytest

from tests.servers.dovecot import PASSWORD, Dovecot, NotStarted
from tests.servers.process import living

pytestmark = pytest.mark.dovecot
SOURCE = b"Subject: hello\r\n\r\nworld\r\n"


@pytest.fixture(scope="module", params=["own rights", "no rights"])
def server(request: pytest.FixtureRequest) -> Iterator[Dovecot]:
    with Dovecot(unprivileged=request.param == "no rights") as running:
        yield running


def open_imap(server: Dovecot, security: str) -> imaplib.IMAP4:
    context = server.client_context()
    if security == "tls":
        return imaplib.IMAP4_SSL("localhost", server.ports.imaps, ssl_context=context)
    client = imaplib.IMAP4("localhost", server.ports.imap)
    if security == "starttls":
        client.starttls(context)
    return client


def open_pop3(server: Dovecot, security: str) -> poplib.POP3:
    context = server.client_context()
    if security == "tls":
        return poplib.POP3_SSL("localhost", server.ports.pop3s, context=context)
    client = poplib.POP3("localhost", server.ports.pop3)
    if security == "starttls":
        client.stls(context)
    return client


@pytest.mark.parametrize("security", ["none", "starttls", "tls"])
def test_imap_signs_in_over_each_kind_of_connection(server: Dovecot, security: str) -> None:
    user = server.user()
    server.seed(user, [(SOURCE, (), None)])
    with open_imap(server, security) as client:
        client.login(user, PASSWORD)
        assert client.select() == ("OK", [b"1"])


@pytest.mark.parametrize("security", ["none", "starttls", "tls"])
def test_pop3_signs_in_over_each_kind_of_connection(server: Dovecot, security: str) -> None:
    user = server.user()
    server.seed(user, [(SOURCE, (), None)])
    client = open_pop3(server, security)
    client.user(user)
    client.pass_(PASSWORD)
    assert client.stat() == (1, len(SOURCE))
    client.quit()


def test_a_wrong_password_is_refused_without_a_long_wait(server: Dovecot) -> None:
    start = time.monotonic()
    with pytest.raises(imaplib.IMAP4.error, match="AUTHENTICATIONFAILED"), server.connect(server.user(), "guess"):
        pass
    assert time.monotonic() - start < 1.9


def test_a_name_may_hold_spaces_quotes_and_any_letter(server: Dovecot) -> None:
    user = server.user('Zoë "the cat" o\'Hara \\ ')
    server.seed(user, [(SOURCE, (), None)])
    with server.connect(user) as client:
        assert client.select() == ("OK", [b"1"])


def test_every_user_is_alone(server: Dovecot) -> None:
    first, second = server.user(), server.user()
    assert first != second
    server.append(first, SOURCE)
    with server.connect(second) as client:
        assert client.select() == ("OK", [b"0"])


def test_ten_thousand_messages_are_seeded_in_order(server: Dovecot) -> None:
    user, count = server.user(), 10_000
    server.seed(user, [(b"Subject: %d\r\n\r\nbody\r\n" % number, (), None) for number in range(count)])
    with server.connect(user) as client:
        assert client.select() == ("OK", [b"%d" % count])
        for number in (1, 4321, count):
            answer = client.fetch(str(number), "(UID BODY.PEEK[HEADER.FIELDS (SUBJECT)])")[1][0]
            assert isinstance(answer, tuple)
            assert answer[0].startswith(b"%d (UID %d " % (number, number))
            assert answer[1] == b"Subject: %d\r\n\r\n" % (number - 1)


def fetched(server: Dovecot, user: str, folder: str = "INBOX") -> list[bytes]:
    """Rows as (attributes, source) in one list of octets each."""
    with server.connect(user) as client:
        client.select(folder, readonly=True)
        answers = client.fetch("1:*", "(FLAGS INTERNALDATE BODY.PEEK[])")[1]
        return [octets for answer in answers if isinstance(answer, tuple) for octets in answer]


def test_seeded_flags_dates_and_octets_are_fetched_again(server: Dovecot) -> None:
    user, source = server.user(), b"A: \xff\r\n\r\na bare \r and no last line break"
    when = datetime(2020, 2, 29, 12, 30, 15, tzinfo=UTC)
    server.seed(user, [(source, ("$seen", "$flagged", "work", "Later"), when)])
    about, octets = fetched(server, user)
    assert octets == source
    assert set(imaplib.ParseFlags(about)) == {b"\\Seen", b"\\Flagged", b"\\Recent", b"work", b"Later"}
    told = imaplib.Internaldate2tuple(about)
    assert told is not None
    assert time.mktime(told) == when.timestamp()


def test_appended_flags_dates_and_octets_are_fetched_again(server: Dovecot) -> None:
    user, source = server.user(), b"A: \xff\r\n\r\na bare \r and no last line break"
    when = datetime(2020, 2, 29, 12, 30, 15, tzinfo=UTC)
    assert server.append(user, source, ("$answered", "work"), when) == 1
    about, octets = fetched(server, user)
    assert octets == source
    assert set(imaplib.ParseFlags(about)) >= {b"\\Answered", b"work"}
    told = imaplib.Internaldate2tuple(about)
    assert told is not None
    assert time.mktime(told) == when.timestamp()


def test_a_bare_line_feed_and_nul_are_what_dovecot_does_not_keep(server: Dovecot) -> None:
    user, source = server.user(), b"A: b\r\n\r\na\nb\0c\r\n"
    server.seed(user, [(source, (), None)])
    server.append(user, source)
    assert fetched(server, user)[1::2] == [b"A: b\r\n\r\na\r\nb\x80c\r\n"] * 2


def test_mail_seeded_later_comes_after_what_is_there(server: Dovecot) -> None:
    user = server.user()
    server.seed(user, [(b"A: 1\r\n\r\n", (), None)])
    server.append(user, b"A: 2\r\n\r\n")
    server.seed(user, [(b"A: 3\r\n\r\n", (), None)])
    assert fetched(server, user)[1::2] == [b"A: %d\r\n\r\n" % number for number in (1, 2, 3)]


def test_other_folders_can_be_seeded(server: Dovecot) -> None:
    user = server.user()
    server.seed(user, [(SOURCE, (), None)], "Work/Größe")
    assert fetched(server, user, '"Work/Gr&APYA3w-e"')[1] == SOURCE


def test_folders_have_special_uses_and_are_subscribed(server: Dovecot) -> None:
    with server.connect(server.user()) as client:
        listed = client.lsub()[1]
        uses = b"".join(row for row in client.list()[1] if isinstance(row, bytes))
    assert len(listed) == 5
    assert all(use in uses for use in (b"\\Drafts", b"\\Sent", b"\\Trash", b"\\Junk", b"\\Archive"))


def test_quota_and_acl_are_there_and_folders_can_be_shared(server: Dovecot) -> None:
    owner, friend = server.user(), server.user()
    server.seed(owner, [(SOURCE, (), None)], "Common")
    with server.connect(owner) as client:
        assert client.getquotaroot("INBOX")[0] == "OK"
        assert client.setacl("Common", friend, "lr")[0] == "OK"
    with server.connect(friend) as client:
        assert client.select(f"Shared/{owner}/Common", readonly=True) == ("OK", [b"1"])


def test_the_limit_of_connections_can_be_lowered() -> None:
    with Dovecot(connections=1) as strict:
        user = strict.user()
        limit = pytest.raises(imaplib.IMAP4.error, match="Maximum number of connections")
        with strict.connect(user), limit, strict.connect(user):
            pass


def test_nothing_is_left_of_it() -> None:
    server = Dovecot()
    server.start()
    group, folder = server.pid, server.folder
    with server.connect(server.user()):
        server.stop()
    assert not living(group)
    assert not folder.exists()


def test_a_wrong_setting_is_told_by_its_log() -> None:
    with pytest.raises(NotStarted, match="no_such_setting"):
        Dovecot(settings="no_such_setting = yes").start()


def test_its_absence_is_told_with_the_way_to_install_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "which", lambda name, path=None: None)
    with pytest.raises(NotStarted, match="apt-get install dovecot-imapd dovecot-pop3d"):
        Dovecot().start()
