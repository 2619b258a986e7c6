"""The throwaway mailutils is what the other tests take it for, and its oddities are those that are known."""

import imaplib
import poplib
import shutil
import socket
import time
from base64 import b64encode
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from tests.servers.dovecot import PASSWORD, NotStarted
from tests.servers.mailutils import Mailutils
from tests.servers.process import living

SOURCE = b"Subject: hello\r\n\r\nworld\r\n"
ENCODED = (
    b"Subject: =?utf-8?b?R3LDvMOfZQ==?=\r\nFrom: zoe@example.org\r\nDate: Fri, 01 Mar 2024 10:00:00 +0100\r\n"
    b"Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: base64\r\n\r\nS8O2bG4=\r\n"
)


@pytest.fixture(scope="module")
def server() -> Iterator[Mailutils]:
    with Mailutils() as running:
        yield running


class Wire:
    """Lines as they are: imaplib takes not all that is sent here."""

    def __init__(self, server: Mailutils) -> None:
        self._socket = socket.create_connection((server.host, server.ports.imap), 10)
        self._file = self._socket.makefile("rb")
        self.greeting = self.line()

    def line(self) -> bytes:
        return self._file.readline()

    def send(self, line: bytes) -> None:
        self._socket.sendall(line + b"\r\n")

    def ask(self, command: bytes) -> list[bytes]:
        """The lines up to the tagged one, or to the end of the connection."""
        self.send(b"A " + command)
        lines = [self.line()]
        while lines[-1] and not lines[-1].startswith(b"A "):
            lines.append(self.line())
        return lines

    def close(self) -> None:
        self._file.close()
        self._socket.close()


@contextmanager
def wire(server: Mailutils, user: str, folder: bytes = b"INBOX") -> Iterator[Wire]:
    """Signed in, with the folder selected."""
    opened = Wire(server)
    try:
        opened.ask(f"LOGIN {user} {PASSWORD}".encode())
        opened.ask(b"SELECT " + folder)
        yield opened
    finally:
        opened.close()


def seeded(server: Mailutils, count: int) -> str:
    user = server.user()
    server.seed(user, [(SOURCE, (), None)] * count)
    return user


def without(server: Mailutils, user: str, *uids: int) -> None:
    """Remove these."""
    with server.connect(user) as client:
        client.select()
        client.uid("STORE", ",".join(map(str, uids)), "+FLAGS", r"(\Deleted)")
        client.expunge()


@contextmanager
def maildrop(server: Mailutils, user: str) -> Iterator[poplib.POP3]:
    """Signed in, and left by QUIT."""
    client = poplib.POP3(server.host, server.ports.pop3, timeout=10)
    try:
        client.user(user)
        client.pass_(PASSWORD)
        yield client
        client.quit()
    finally:
        client.close()


def test_imap_and_pop3_serve_what_was_seeded(server: Mailutils) -> None:
    user = server.user()
    server.seed(user, [(SOURCE, ("$seen", "$flagged"), None), (ENCODED, (), None)])
    with server.connect(user) as client:
        assert client.select() == ("OK", [b"2"])
        first, _, second, _ = client.fetch("1:*", "(UID FLAGS BODY.PEEK[])")[1]
    assert isinstance(first, tuple)
    assert isinstance(second, tuple)
    assert first[1] == SOURCE
    assert second[1] == ENCODED
    assert set(imaplib.ParseFlags(first[0])) == {b"\\Seen", b"\\Flagged", b"\\Recent"}
    with maildrop(server, user) as drop:
        assert drop.stat()[0] == 2


def test_mail_seeded_or_appended_later_comes_after_what_is_there(server: Mailutils) -> None:
    user = server.user()
    server.seed(user, [(b"A: 1\r\n\r\n", (), None)])
    server.append(user, b"A: 2\r\n\r\n")
    server.seed(user, [(b"A: 3\r\n\r\n", (), None)])
    with server.connect(user) as client:
        client.select()
        rows = client.fetch("1:*", "(BODY.PEEK[])")[1]
    assert [row[1] for row in rows if isinstance(row, tuple)] == [b"A: %d\r\n\r\n" % number for number in (1, 2, 3)]


def test_other_folders_can_be_seeded(server: Mailutils) -> None:
    user = server.user()
    server.seed(user, [(SOURCE, (), None)], "Work/Größe")
    with server.connect(user) as client:
        assert client.select("Work/Gr&APYA3w-e") == ("OK", [b"1"])


def test_every_user_is_alone(server: Mailutils) -> None:
    first, second = server.user(), server.user()
    assert first != second
    server.append(first, SOURCE)
    with server.connect(second) as client:
        assert client.select() == ("OK", [b"0"])


def test_a_wrong_password_and_an_unknown_name_are_refused(server: Mailutils) -> None:
    for user, password in ((server.user(), "guess"), ("nobody@example.org", PASSWORD)):
        with pytest.raises(imaplib.IMAP4.error), server.connect(user, password):
            pass


def test_three_thousand_messages_are_seeded_in_seconds_and_in_order(server: Mailutils) -> None:
    user, count = server.user(), 3000
    start = time.monotonic()
    server.seed(user, [(b"Subject: %d\r\n\r\nbody\r\n" % number, (), None) for number in range(count)])
    with server.connect(user) as client:
        assert client.select() == ("OK", [b"%d" % count])
        rows = client.fetch("1:*", "(UID BODY.PEEK[HEADER.FIELDS (SUBJECT)])")[1]
    found = [(int(row[0].split()[2]), int(row[1].split()[1])) for row in rows if isinstance(row, tuple)]
    assert found == [(number + 1, number) for number in range(count)]
    assert time.monotonic() - start < 20


def test_few_extensions_are_offered(server: Mailutils) -> None:
    with server.connect(server.user()) as client:
        offered = {word for word in client.capabilities if not word.startswith("AUTH=")}
        assert offered == {"IMAP4REV1", "NAMESPACE", "ID", "IDLE", "LITERAL+", "UNSELECT"}
        client.select()
        for command in ("MOVE 1 INBOX", "UID EXPUNGE 1", "ENABLE CONDSTORE", "UID SEARCH RETURN (ALL) ALL"):
            with pytest.raises(imaplib.IMAP4.error, match="BAD"):
                client.xatom(command)


def test_flags_are_the_five_of_the_system(server: Mailutils) -> None:
    with wire(server, seeded(server, 1)) as client:
        selected = b"".join(client.ask(b"SELECT INBOX"))
        assert rb"PERMANENTFLAGS (\Answered \Flagged \Deleted \Seen \Draft)]" in selected
        assert client.ask(b"UID STORE 1 +FLAGS (work)") == [b"A BAD UID STORE Unrecognized flag\r\n"]
        assert b"NO" not in client.ask(rb"UID STORE 1 +FLAGS (\Seen)")[-1]


def test_append_keeps_neither_flags_nor_date(server: Mailutils) -> None:
    user = server.user()
    with server.connect(user) as client:
        client.append("INBOX", r"(\Seen)", '" 1-Jan-2020 10:00:00 +0000"', SOURCE)
        assert client.response("APPENDUID")[1] == [None]
        client.select()
        (about,) = client.fetch("1", "(FLAGS INTERNALDATE)")[1]
    assert isinstance(about, bytes)
    assert b"Seen" not in about
    assert b"2020" not in about


def test_the_date_of_receipt_is_the_header_s(server: Mailutils) -> None:
    user = server.user()
    server.seed(user, [(ENCODED, (), None)])
    with server.connect(user) as client:
        client.select()
        assert client.fetch("1", "(INTERNALDATE)")[1] == [b'1 (INTERNALDATE "01-Mar-2024 09:00:00 +0000")']


def test_a_uid_that_is_not_there_is_taken_for_its_neighbour(server: Mailutils) -> None:
    user = seeded(server, 4)
    without(server, user, 1, 4)
    with wire(server, user) as client:
        assert client.ask(b"UID FETCH 1 (UID)")[0] == b"* 1 FETCH (UID 2)\r\n"
        assert client.ask(b"UID FETCH 9 (UID)")[0] == b"* 2 FETCH (UID 3)\r\n"
        client.ask(rb"UID STORE 9 +FLAGS (\Flagged)")
        assert client.ask(b"UID FETCH 3 (FLAGS)")[0] == b"* 2 FETCH (UID 3 FLAGS (\\Flagged))\r\n"
        assert client.ask(b"UID SEARCH UID 2")[0] == b"* SEARCH 3\r\n"


def test_copies_get_other_uids_until_they_are_selected(server: Mailutils) -> None:
    with wire(server, seeded(server, 1)) as client:
        client.ask(b"CREATE X")
        client.ask(b"COPY 1 X")
        assert client.ask(b"STATUS X (UIDNEXT)")[0] == b"* STATUS X (UIDNEXT 2)\r\n"
        assert client.ask(b"STATUS X (UIDNEXT)")[0] == b"* STATUS X (UIDNEXT 3)\r\n"
        for _ in range(2):
            client.ask(b"SELECT X")
            assert client.ask(b"UID SEARCH ALL")[0] == b"* SEARCH 3\r\n"


def test_an_answer_to_uid_store_lacks_the_uid_where_it_is_not_the_number(server: Mailutils) -> None:
    user = seeded(server, 3)
    without(server, user, 2)
    with wire(server, user) as client:
        assert client.ask(rb"UID STORE 1 +FLAGS (\Seen)")[0].startswith(b"* 1 FETCH (UID 1 FLAGS (")
        assert client.ask(rb"UID STORE 3 +FLAGS (\Seen)")[0].startswith(b"* 2 FETCH (FLAGS (")


def test_expunging_is_told_by_a_word_of_its_own(server: Mailutils) -> None:
    with wire(server, seeded(server, 3)) as client:
        client.ask(rb"STORE 2 +FLAGS.SILENT (\Deleted)")
        assert client.ask(b"EXPUNGE")[:2] == [b"* 2 EXPUNGED\r\n", b"* 2 EXISTS\r\n"]


def test_only_select_is_sure_to_tell_of_new_mail(server: Mailutils) -> None:
    """It looks at the folder's time in whole seconds: mail of the second in which it selected goes unseen."""
    user = seeded(server, 1)
    with wire(server, user) as client:
        server.seed(user, [(SOURCE, (), None)])
        assert client.ask(b"APPEND INBOX {%d+}\r\n%b" % (len(SOURCE), SOURCE))[-1] == b"A OK APPEND Completed\r\n"
        assert client.ask(b"STATUS INBOX (MESSAGES)")[0] == b"* STATUS INBOX (MESSAGES 3)\r\n"
        assert client.ask(b"SELECT INBOX")[0] == b"* 3 EXISTS\r\n"


def test_a_body_that_another_session_expunged_is_empty(server: Mailutils) -> None:
    user = seeded(server, 2)
    with wire(server, user) as client:
        without(server, user, 2)
        assert client.ask(b"UID FETCH 2 (BODY.PEEK[])")[0] == b'* 2 FETCH (UID 2 BODY[] "")\r\n'


def test_search_decodes_text_and_knows_charsets(server: Mailutils) -> None:
    user = server.user()
    server.seed(user, [(ENCODED, (), None), (SOURCE, (), None)])
    with wire(server, user) as client:
        for key, text in ((b"SUBJECT", "Grüße"), (b"BODY", "KÖLN"), (b"TEXT", "köln")):
            octets = text.encode()
            found = client.ask(b"UID SEARCH CHARSET UTF-8 %b {%d+}\r\n%b" % (key, len(octets), octets))
            assert found[0] == b"* SEARCH 1\r\n"
        assert b"[BADCHARSET]" in client.ask(b"UID SEARCH CHARSET KLINGON TEXT x")[0]


def test_search_by_keyword_ends_the_session(server: Mailutils) -> None:
    with wire(server, seeded(server, 1)) as client:
        assert client.ask(b"UID SEARCH UNKEYWORD work")[-1] == b""


def test_search_compares_sizes_without_carriage_returns(server: Mailutils) -> None:
    with wire(server, seeded(server, 1)) as client:
        size = len(SOURCE)
        assert client.ask(b"FETCH 1 (RFC822.SIZE)")[0] == b"* 1 FETCH (RFC822.SIZE %d)\r\n" % size
        assert client.ask(b"SEARCH LARGER %d" % (size - 1))[0] == b"* SEARCH\r\n"
        assert client.ask(b"SEARCH LARGER %d" % (size - SOURCE.count(b"\r") - 1))[0] == b"* SEARCH 1\r\n"


def test_flags_come_twice_where_a_body_is_read(server: Mailutils) -> None:
    with wire(server, seeded(server, 1)) as client:
        assert client.ask(b"FETCH 1 (FLAGS BODY[])")[0] == (
            b"* 1 FETCH (FLAGS (\\Recent) FLAGS (\\Seen) BODY[] {%d}\r\n" % len(SOURCE)
        )


def test_the_answer_to_authenticate_ends_in_a_line_feed_alone(server: Mailutils) -> None:
    client = Wire(server)
    try:
        client.send(b"A AUTHENTICATE PLAIN")
        assert client.line() == b"+ \r\n"
        client.send(b64encode(f"\0{server.user()}\0{PASSWORD}".encode()))
        assert client.line() == b"A OK AUTHENTICATE PLAIN authentication successful\n"
    finally:
        client.close()


def test_folders_are_made_listed_renamed_and_removed(server: Mailutils) -> None:
    with server.connect(server.user()) as client:
        for name in ("Work/One", "Gr&APYA3w-e", '"a b"'):
            assert client.create(name)[0] == "OK"
        assert client.list()[1] == [
            rb"(\NoInferiors) NIL INBOX",
            b'() "/" "a b"',
            b'() "/" Gr&APYA3w-e',
            rb'(\NoSelect) "/" Work',
            b'() "/" Work/One',
        ]
        assert client.rename("Work/One", "Work/Two")[0] == "OK"
        assert client.subscribe("Work/Two")[0] == "OK"
        assert client.lsub()[1] == [b'() "/" "Work/Two"']
        assert client.delete("Work/Two")[0] == "OK"
        assert client.select("Work/Two")[0] == "NO"


def test_uidl_writes_into_the_messages(server: Mailutils) -> None:
    user = seeded(server, 1)
    with maildrop(server, user) as client:
        assert client.list()[1] == [b"1 %d" % len(SOURCE)]
        (listed,) = client.uidl()[1]
        assert b"X-UIDL: " + listed.split()[1] in client.retr(1)[1]
    with maildrop(server, user) as client:
        assert client.uidl()[1] == [listed]
        assert client.stat()[1] > len(SOURCE)


def test_quit_removes_what_others_marked_too(server: Mailutils) -> None:
    user = server.user()
    server.seed(user, [(SOURCE, ("$deleted",) if number == 1 else (), None) for number in range(3)])
    with maildrop(server, user) as client:
        client.dele(1)
    with maildrop(server, user) as client:
        assert client.stat()[0] == 1


def test_a_maildrop_is_one_session_s(server: Mailutils) -> None:
    user = seeded(server, 1)
    in_use = pytest.raises(poplib.error_proto, match=r"\[IN-USE\]")
    with maildrop(server, user), in_use, maildrop(server, user):
        pass


def test_nothing_is_left_of_it() -> None:
    server = Mailutils()
    server.start()
    groups, folder = server.pids, server.folder
    with server.connect(server.user()):
        server.stop()
    assert groups
    assert not any(map(living, groups))
    assert not folder.exists()


def test_a_wrong_setting_is_told_by_its_log() -> None:
    with pytest.raises(NotStarted, match="no-such-setting"):
        Mailutils(settings="no-such-setting yes;").start()


def test_its_absence_is_told_with_the_way_to_install_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "which", lambda name, path=None: None)
    with pytest.raises(NotStarted, match="apt-get install mailutils-imap4d mailutils-pop3d"):
        Mailutils().start()
