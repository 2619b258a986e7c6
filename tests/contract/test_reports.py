"""What comes back for mail that was sent, and how to leave a list."""

import pytest

from service.mail.model import Message, Unsubscribe
from tests.contract.conftest import Mailbox, OpenMailbox
from tests.contract.letters import RICH, Letter, plain
from tests.mail.mime.reports.letters import LETTERS

LIST = plain("news").replace(
    b"MIME-Version",
    b"List-Unsubscribe: <mailto:leave@example.org?subject=leave>,\r\n <https://lists.example.org/leave?me>\r\n"
    b"List-Unsubscribe-Post: List-Unsubscribe=One-Click\r\nMIME-Version",
)


async def _messages(mailbox: Mailbox) -> list[Message]:
    """The oldest first."""
    return [await mailbox.backend.get_message(row.id) for row in reversed(await mailbox.all())]


@pytest.mark.parametrize("half", [0, 1])
async def test_a_bounce_or_receipt_says_what_it_reports(open_mailbox: OpenMailbox, half: int) -> None:
    """R-MIME-50, R-MIME-51: the same by every protocol."""
    letters = LETTERS[half::2]
    found = await _messages(await open_mailbox(*(Letter(letter.octets) for letter in letters)))
    assert [(each.report) for each in found] == [letter.report for letter in letters]


async def test_a_message_of_a_list_says_how_to_leave_it(open_mailbox: OpenMailbox) -> None:
    """R-MIME-53."""
    [found] = await _messages(await open_mailbox(Letter(LIST)))
    assert found.unsubscribe == Unsubscribe(
        one_click=True, url="https://lists.example.org/leave?me", mailto="mailto:leave@example.org?subject=leave"
    )
    assert found.report is None


async def test_an_ordinary_message_reports_nothing(open_mailbox: OpenMailbox) -> None:
    """R-MIME-50."""
    [found] = await _messages(await open_mailbox(Letter(RICH)))
    assert (found.report, found.unsubscribe) == (None, None)
