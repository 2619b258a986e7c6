"""Replies and forwards as drafts."""

import base64
from collections.abc import Callable, Sequence
from time import thread_time

import pytest

from service.mail.mime.html.safe_html import captures
from service.mail.model import Header, Message, Part
from service.mail.submission.model import Attachment, NewDraft, NewHeader
from service.submission.replies.addresses import address_key
from service.submission.replies.drafts import forward, reply
from service.submission.replies.recipients import everybody
from service.submission.replies.subjects import base_subject
from service.submission.replies.threads import reply_thread
from tests.contract.letters import RICH
from tests.corpus import either, own_mail, public_mail
from tests.submission.replies.originals import emails, message, parsed, people

NOTHING = NewDraft()
PICTURE = b"\r\n".join(
    [
        b"From: ann@example.org", b"To: ben@example.org", b"Subject: Pictures", b'Content-Type: multipart/mixed; boundary="m"', b"",
        b"--m", b'Content-Type: multipart/related; boundary="r"', b"",
        b"--r", b"Content-Type: text/html", b"", b'<p>Look <img src="cid:one%40x"> <img src=cid:a&amp;b@x> <img src="cid:absent@x"> ah</p>',
        b"--r", b"Content-Type: image/png", b"Content-ID: <one@x>", b"Content-Disposition: inline; filename=one.png", b"", b"1",
        b"--r", b"Content-Type: image/png", b"Content-ID: <a&b@x>", b"", b"2",
        b"--r", b"Content-Type: image/png", b"Content-ID: <unused@x>", b"", b"3", b"--r--",
        b"--m", b'Content-Type: application/pdf; name="a.pdf"', b"Content-Disposition: attachment", b"", b"4",
        b"--m", b"Content-Type: message/rfc822", b"", RICH, b"--m--", b"",
    ]
)  # fmt: skip


def parts(draft: NewDraft) -> list[tuple[str | None, str, str | None]]:
    return [(each.part_id, each.disposition, each.cid) for each in draft.attachments]


def test_a_reply_is_a_draft_to_the_author() -> None:
    """R-SEND-30."""
    draft = reply(message(cc="dan@x.org"), all=False, own=["ben@example.org"], given=NOTHING)
    assert emails(draft.to) == ["ann@example.org"]
    assert (draft.cc, draft.bcc, draft.from_, draft.attachments) == ((), (), None, ())
    assert (draft.subject, draft.in_reply_to) == ("Re: Lunch", "m-1")
    assert "> Shall we?" in (draft.text or "")
    assert "Shall we?</div></blockquote>" in (draft.html or "")


def test_a_forward_is_a_draft_to_nobody() -> None:
    """R-SEND-30."""
    draft = forward(message(cc="dan@x.org"), as_attachment=False, given=NOTHING)
    assert (draft.to, draft.cc, draft.bcc, draft.subject, draft.in_reply_to) == ((), (), (), "Fwd: Lunch", None)


def test_a_message_forwarded_as_an_attachment_is_one_reference() -> None:
    """R-SEND-36."""
    draft = forward(parsed(PICTURE)[0], as_attachment=True, given=NewDraft(text="See this."))
    assert draft.attachments == (Attachment(message_id="m-1"),)
    assert (draft.text, draft.html, draft.subject) == ("See this.", None, "Fwd: Pictures")


def test_pictures_go_along_with_the_html_that_shows_them() -> None:
    """R-SEND-36: in a reply these alone, each by reference."""
    draft = reply(parsed(PICTURE)[0], all=False, own=(), given=NOTHING)
    assert parts(draft) == [("1.2", "inline", "one@x"), ("1.3", "inline", "a&b@x")]
    assert {each.message_id for each in draft.attachments} == {"m-1"}
    assert 'src="cid:one%40x"' in (draft.html or "")


def test_a_forward_has_every_attachment_once() -> None:
    """R-SEND-36: those that its HTML does not show as attachments; those within an attached message stay in it."""
    original = parsed(PICTURE)[0]
    draft = forward(original, as_attachment=False, given=NOTHING)
    rest = [("1.4", "attachment", None), ("2", "attachment", None), ("3", "attachment", None)]
    assert parts(draft) == [("1.2", "inline", "one@x"), ("1.3", "inline", "a&b@x"), *rest]
    text = forward(original, as_attachment=False, given=NewDraft(text="See these."))
    assert [part for part, _, _ in parts(text)] == ["1.2", "1.3", "1.4", "2", "3"]
    assert {disposition for _, disposition, _ in parts(text)} == {"attachment"}
    shown = forward(original, as_attachment=False, given=NewDraft(html="<img src='cid:unused@x'>"))
    assert ("1.4", "inline", "unused@x") in parts(shown)
    assert len(shown.attachments) == 5


def test_more_attachments_than_a_draft_has_are_forwarded_as_the_whole_message() -> None:
    """R-SEND-36: none is lost."""
    files = tuple(Part(id=f"{number + 2}", type="image/png", disposition="attachment") for number in range(101))
    draft = forward(message(attachments=files), as_attachment=False, given=NOTHING)
    assert draft.attachments == (Attachment(message_id="m-1"),)
    draft = forward(message(attachments=files[:100]), as_attachment=False, given=NOTHING)
    assert [each.part_id for each in draft.attachments] == [each.id for each in files[:100]]


def test_what_the_client_gives_replaces() -> None:
    """R-SEND-30: also with nothing; and nobody stands in two fields."""
    original = message(to="ben@example.org cat@x.org", cc="dan@x.org eve@x.org", html="<p>Hi</p>")
    given = NewDraft(cc=people("CAT@x.org"), subject="Dinner", text="No.", headers=(NewHeader(name="X-A", value="b"),))
    draft = reply(original, all=True, own=["ben@example.org"], given=given)
    assert (emails(draft.to), emails(draft.cc)) == (["ann@example.org"], ["CAT@x.org"])
    assert (draft.subject, draft.text, draft.html, draft.headers) == ("Dinner", "No.", None, given.headers)
    nobody = reply(original, all=True, own=["ben@example.org"], given=NewDraft(cc=(), in_reply_to="m-2"))
    assert (emails(nobody.to), nobody.cc, nobody.in_reply_to) == (["ann@example.org", "cat@x.org"], (), "m-2")


def test_given_attachments_replace_those_of_the_original_but_not_its_pictures() -> None:
    """R-SEND-36: the quote shows these."""
    given = NewDraft(attachments=(Attachment(content=base64.b64encode(b"x").decode(), cid="one@x"),))
    draft = forward(parsed(PICTURE)[0], as_attachment=False, given=given)
    assert parts(draft) == [("1.3", "inline", "a&b@x"), (None, "attachment", "one@x")]


def check(original: Message, headers: tuple[Header, ...]) -> None:
    """What holds for every answer to every message."""
    allowed = {address_key(each.email) for each in everybody(original, headers)} - {None}
    own = [each.email for each in original.to[:1]]
    for all_ in (False, True):
        draft = reply(original, all=all_, own=own, given=NOTHING, headers=headers)
        keys = [address_key(each.email) for each in (*draft.to, *draft.cc, *draft.bcc)]
        assert set(keys) <= allowed
        assert len(keys) == len(set(keys))
        assert (draft.subject or "").startswith("Re:")
        check_body(draft)
    thread = reply_thread(original)
    assert all(
        each in (*original.references, *(original.in_reply_to or ()), original.message_id) for each in thread.references
    )
    draft = forward(original, as_attachment=False, given=NOTHING)
    assert not draft.to + draft.cc + draft.bcc
    assert base_subject(draft.subject or "") == base_subject(base_subject(original.subject or "")[:3995])
    found = {part.id: part for part in original.structure.walk()}
    assert all(each.part_id is None or each.part_id in found for each in draft.attachments)
    referred = {each.part_id for each in draft.attachments}
    assert referred == {None} or referred >= {
        each.id for each in original.attachments if not each.type.startswith("multipart/")
    }
    check_body(draft)


def check_body(draft: NewDraft) -> None:
    assert draft.text is not None
    assert draft.html is not None
    assert not captures(draft.html)
    assert NewDraft.model_validate_json(draft.model_dump_json(by_alias=True)) == draft


@either(public_mail)
def test_the_corpus_is_replied_to_and_forwarded(corpus: Callable[[], Sequence[bytes]]) -> None:
    """R-SEND-37: threads are right, nobody is addressed who was not in the original, each within a moment."""
    originals = corpus()
    assert len(originals) >= 40
    slow = []
    for octets in originals:
        original, headers = parsed(octets)
        began = thread_time()
        check(original, headers)
        if thread_time() - began > 2.0:
            slow.append(octets[:200])
    assert not slow


@pytest.mark.parametrize("every", [False, True])
def test_the_message_that_comes_of_it_is_in_the_thread(every: bool) -> None:
    """R-SEND-34, R-SEND-37: RICH has two ancestors."""
    original, headers = parsed(RICH)
    draft = reply(original, all=every, own=["cat@example.org"], given=NOTHING, headers=headers)
    assert emails(draft.to) == (["replies@example.org", "ben@example.org"] if every else ["replies@example.org"])
    assert emails(draft.cc) == (["dan@example.org"] if every else [])
    assert reply_thread(original).references == ("first@example.org", "before@example.org", "rich@example.org")
    assert len(own_mail()) >= 40
