"""The states in which the page is seen: each leads there from an account that is signed in, and says when it is there."""

from collections.abc import Awaitable, Callable

from playwright.async_api import expect

from tests.browser.page.mails import ADA, BOB, HTML, NEWEST, mail
from tests.browser.page.visitor import Visitor
from tests.servers.dovecot import PASSWORD, Dovecot

State = Callable[[Visitor], Awaitable[None]]


def furnish(server: Dovecot, user: str) -> None:
    """A mailbox with some of everything."""
    server.seed(user, [
        (mail("Tea", text="Tea or coffee?", number=9), ("$seen",), NEWEST),
        (mail("Re: Tea", sender=BOB, text="Coffee!\n\n> Tea or coffee?\n", number=8, answers=9), ("$seen", "$answered"), NEWEST),
        (mail("Old news", sender=BOB, text="They are old by now.", number=5), ("$seen",), NEWEST),
        (mail("The plan", file=("plan.pdf", b"x" * 40_000), number=3), ("$flagged",), NEWEST),
        (mail("News of the house", html=HTML, number=2), (), NEWEST),
        (mail("Welcome", sender=ADA, text="Good morning. See https://example.net/ for more.", number=1), (), NEWEST),
    ])  # fmt: skip
    server.seed(user, [(mail("Done", number=20), ("$seen",), NEWEST)], "Archive")
    server.seed(f"old-{user}", [(mail("Old letter", number=30), ("$seen",), NEWEST), (b"", (), NEWEST)])


async def _read(visitor: Visitor) -> None:
    await visitor.open("News of the house")
    await expect(visitor.mail().locator("p").first).to_be_visible()


async def _conversation(visitor: Visitor) -> None:
    await visitor.open("Re: Tea")
    await expect(visitor.page.locator(".card")).to_have_count(2)
    await visitor.page.locator(".recipients summary").first.click()


async def _attachment(visitor: Visitor) -> None:
    await visitor.open("The plan")
    await expect(visitor.page.get_by_text("plan.pdf")).to_be_visible()


async def _selection(visitor: Visitor) -> None:
    await visitor.row("The plan").get_by_role("checkbox").check()
    await visitor.row("Welcome").get_by_role("checkbox").check()
    await expect(visitor.page.get_by_text("2 selected")).to_be_visible()


async def _move(visitor: Visitor) -> None:
    await _selection(visitor)
    await visitor.page.get_by_role("button", name="Move to folder").click()


async def _undo(visitor: Visitor) -> None:
    await visitor.row("Old news").get_by_role("checkbox").check()
    await visitor.page.get_by_role("button", name="Archive").locator("visible=true").first.click()
    await visitor.said("1 message archived")


async def _search(visitor: Visitor) -> None:
    await visitor.page.get_by_role("combobox", name="Search mail").click()
    await expect(visitor.page.get_by_role("option", name="from:")).to_be_visible()


async def _compose(visitor: Visitor) -> None:
    await visitor.page.get_by_role("button", name="New message").locator("visible=true").click()
    await visitor.page.get_by_label("To", exact=True).fill("carol@example.net,")
    await visitor.page.get_by_label("Subject", exact=True).fill("The plan for September")
    await visitor.page.get_by_label("Text", exact=True).fill("Hello Carol,\n\nhere is the plan.\n")
    await visitor.page.get_by_role("button", name="Cc and Bcc").click()
    await visitor.page.get_by_label("Cc", exact=True).press_sequentially("ad")
    await expect(visitor.page.get_by_role("option").first).to_be_visible()


async def _settings(visitor: Visitor) -> None:
    await visitor.choose("Settings")
    await expect(visitor.page.get_by_label("Language")).to_be_visible()


async def _import(visitor: Visitor) -> None:
    await visitor.choose("Bring your old mail")
    await expect(visitor.page.get_by_label("Address of the old mailbox")).to_be_visible()


async def _import_password(visitor: Visitor) -> None:
    await _import(visitor)
    label = await visitor.page.get_by_role("button", name="Account:").get_attribute("aria-label") or ""
    await visitor.page.get_by_label("Address of the old mailbox").fill(f"old-{label.split()[-1]}")
    await visitor.page.get_by_role("button", name="Continue").click()
    await visitor.page.get_by_label("Password of").fill(PASSWORD)


async def _import_choice(visitor: Visitor) -> None:
    await _import_password(visitor)
    await visitor.page.get_by_role("button", name="Continue").click()
    await expect(visitor.page.get_by_role("checkbox", name="Inbox")).to_be_visible()


async def _import_summary(visitor: Visitor) -> None:
    await _import_choice(visitor)
    await visitor.page.get_by_role("button", name="Count the messages").click()
    await expect(visitor.page.get_by_role("button", name="Copy now")).to_be_visible()


async def _import_done(visitor: Visitor) -> None:
    await _import_summary(visitor)
    await visitor.page.get_by_role("button", name="Copy now").click()
    await expect(visitor.page.locator(".rejects")).to_be_visible()


async def _account(visitor: Visitor) -> None:
    await visitor.page.get_by_role("button", name="Account:").click()
    await expect(visitor.page.get_by_role("button", name="Sign out")).to_be_visible()


async def _help(visitor: Visitor) -> None:
    await visitor.page.keyboard.press("?")
    await expect(visitor.page.get_by_role("dialog")).to_be_visible()


async def _list(visitor: Visitor) -> None:
    await expect(visitor.row("Welcome")).to_be_visible()


async def _empty(visitor: Visitor) -> None:
    await visitor.page.goto(f"{visitor.url}#/junk")
    await expect(visitor.page.get_by_text("Nothing here")).to_be_visible()


async def _folders(visitor: Visitor) -> None:
    if await visitor.page.get_by_role("button", name="Folders").is_visible():
        await visitor.page.get_by_role("button", name="Folders").click()
    await expect(visitor.page.get_by_role("link", name="Archive")).to_be_visible()


async def _nothing_found(visitor: Visitor) -> None:
    await visitor.page.goto(f"{visitor.url}#/inbox?q=neverwritten")
    await expect(visitor.page.get_by_text("Nothing found")).to_be_visible()


STATES: dict[str, State] = {  # what is written stays, so that comes last
    "list": _list,
    "message": _read,
    "conversation": _conversation,
    "attachment": _attachment,
    "selection": _selection,
    "move": _move,
    "undo": _undo,
    "search": _search,
    "nothing-found": _nothing_found,
    "empty": _empty,
    "folders": _folders,
    "settings": _settings,
    "account": _account,
    "help": _help,
    "import": _import,
    "import-password": _import_password,
    "import-choice": _import_choice,
    "import-summary": _import_summary,
    "import-done": _import_done,
    "compose": _compose,
}
