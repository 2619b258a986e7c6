"""The right to send a draft, between processes that know nothing of each other."""

import asyncio

import pytest

from service.mail.errors import InUse, MailError, NotFound, NotPermitted, UpstreamError
from service.mail.search.filter import ListQuery
from service.mail.submission.submitter import LOST
from service.submission import claims
from service.submission.claims import PENDING, SENT, Claim, Gone, TakenOver, Turns, take_claim, unsent
from tests.contract.letters import plain
from tests.memory import MemoryBackend


@pytest.fixture(autouse=True)
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(claims, "PATIENCE", 0.05)
    monkeypatch.setattr(claims, "POLL", 0.01)


@pytest.fixture
async def mailbox() -> MemoryBackend:
    mailbox = MemoryBackend()
    mailbox.deliver(plain("draft"), ("$draft", "$seen"))
    return mailbox


async def draft_in(mailbox: MemoryBackend) -> str:
    [row] = (await mailbox.list_messages("inbox", ListQuery())).items
    return row.id


async def claimed(mailbox: MemoryBackend, draft: str) -> Claim:
    claim = await take_claim(mailbox, draft)
    assert isinstance(claim, Claim)
    return claim


async def flags_of(mailbox: MemoryBackend, draft: str) -> set[str]:
    return set((await mailbox.get_flags(draft)).flags)


async def test_a_claim_that_was_taken_over_neither_sends_nor_releases(mailbox: MemoryBackend) -> None:
    """R-SEND-10: the slow process must not take away the mark of the one that sends, in which a third would trust."""
    draft = await draft_in(mailbox)
    slow = await claimed(mailbox, draft)
    quick = await claimed(mailbox, draft)
    await quick.commit()
    with pytest.raises(TakenOver):
        await slow.commit()
    await slow.release()
    assert PENDING in await flags_of(mailbox, draft)
    with pytest.raises(UpstreamError) as unknown:
        await take_claim(mailbox, draft)
    assert unknown.value.code == LOST


async def test_a_claim_is_released_although_a_person_marked_the_draft(mailbox: MemoryBackend) -> None:
    """R-SEND-10."""
    draft = await draft_in(mailbox)
    claim = await claimed(mailbox, draft)
    await mailbox.change_flags(draft, ["$flagged"], [])
    await claim.commit()
    await mailbox.change_flags(draft, [], ["$flagged"])
    await claim.release()
    assert await flags_of(mailbox, draft) == {"$draft", "$seen"}


async def test_a_claim_of_a_process_that_sent_is_taken_over_as_sent(mailbox: MemoryBackend) -> None:
    """R-SEND-15: Sent is looked at before the draft is filed, because that process may only be slow."""
    draft = await draft_in(mailbox)
    slow = await claimed(mailbox, draft)
    await slow.commit()
    await slow.settle()
    assert await flags_of(mailbox, draft) == {"$seen", SENT}
    other = await claimed(mailbox, draft)
    assert (other.is_sent, other.may_be_filed) == (True, True)


async def fresh(mailbox: MemoryBackend, draft: str) -> Claim:
    claim = await take_claim(mailbox, draft, is_new=True)
    assert isinstance(claim, Claim)
    return claim


async def test_a_draft_just_written_is_not_marked_before_it_is_sent(mailbox: MemoryBackend) -> None:
    """R-SEND-10."""
    draft = await draft_in(mailbox)
    claim = await fresh(mailbox, draft)
    assert await flags_of(mailbox, draft) == {"$draft", "$seen"}
    await claim.release()
    await mailbox.change_flags(draft, ["$flagged"], [])
    await claim.commit()
    assert claim.is_exclusive
    await claim.release()
    assert await flags_of(mailbox, draft) == {"$draft", "$seen", "$flagged"}


@pytest.mark.parametrize("progress", ["taken", "committed", "settled"])
async def test_who_finds_a_draft_just_written_and_is_quicker_sends_it_alone(
    mailbox: MemoryBackend, progress: str
) -> None:
    """R-SEND-10."""
    draft = await draft_in(mailbox)
    slow = await fresh(mailbox, draft)
    quick = await claimed(mailbox, draft)
    if progress != "taken":
        await quick.commit()
    if progress == "settled":
        await quick.settle()
    before = await flags_of(mailbox, draft)
    with pytest.raises(TakenOver):
        await slow.commit()
    await slow.release()
    assert await flags_of(mailbox, draft) == before


async def test_a_draft_just_written_and_sent_is_not_taken_over(mailbox: MemoryBackend) -> None:
    """R-SEND-10."""
    draft = await draft_in(mailbox)
    first = await fresh(mailbox, draft)
    await first.commit()
    with pytest.raises(UpstreamError) as unknown:
        await take_claim(mailbox, draft)
    assert unknown.value.code == LOST
    await first.settle()
    assert await flags_of(mailbox, draft) == {"$seen", SENT}


@pytest.mark.parametrize(
    ("flag", "kind", "code"),
    [("casella-send-1", NotFound, None), (PENDING, UpstreamError, LOST), (SENT, None, None)],
)
async def test_a_draft_that_goes_while_another_process_has_it_was_not_always_sent(
    mailbox: MemoryBackend, flag: str, kind: type[MailError] | None, code: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """R-SEND-25."""
    monkeypatch.setattr(claims, "PATIENCE", 10)
    draft = await draft_in(mailbox)
    await mailbox.change_flags(draft, [flag], [])
    attempt = asyncio.ensure_future(take_claim(mailbox, draft))
    for _ in range(10):  # it has seen the draft then
        await asyncio.sleep(0)
    await mailbox.delete_messages([draft])
    with pytest.raises(Gone) as gone:
        await attempt
    assert type(gone.value.error) is (kind or type(None))
    assert getattr(gone.value.error, "code", None) == code


async def test_a_change_that_fails_leaves_the_draft_as_it_was(mailbox: MemoryBackend) -> None:
    """R-SEND-25: also one that may have been sent, which is not to be sent again by itself."""
    draft, turns = await draft_in(mailbox), Turns()
    await mailbox.change_flags(draft, [PENDING, "casella-send-1"], [])
    with pytest.raises(NotPermitted):
        async with unsent(mailbox, draft, turns):
            with pytest.raises(InUse):
                async with unsent(mailbox, draft, turns):
                    pass
            raise NotPermitted
    assert await flags_of(mailbox, draft) == {"$draft", "$seen", PENDING}
    with pytest.raises(UpstreamError):
        await take_claim(mailbox, draft)


async def test_a_draft_that_is_being_changed_is_not_sent(mailbox: MemoryBackend) -> None:
    """R-SEND-25: the sender loses its claim to the one who changes the draft."""
    draft = await draft_in(mailbox)
    claim = await claimed(mailbox, draft)
    async with unsent(mailbox, draft, Turns()):
        with pytest.raises(TakenOver):
            await claim.commit()
