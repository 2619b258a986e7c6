"""The right to send a draft, between processes that know nothing of each other."""

import pytest

from service.mail.errors import UpstreamError
from service.mail.search.filter import ListQuery
from service.mail.submission.submitter import LOST
from service.submission import claims
from service.submission.claims import PENDING, SENT, Claim, TakenOver, take_claim
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
