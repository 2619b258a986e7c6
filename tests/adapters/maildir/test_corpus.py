"""Real and broken messages, through files."""

from collections.abc import Callable

from service.adapters.maildir.backend import MaildirBackend
from service.mail.search.filter import ListQuery
from tests.adapters.maildir.conftest import USER
from tests.adapters.maildir.post import Post
from tests.contract.conftest import read
from tests.contract.test_writing import Octets
from tests.corpus import either, public_files

Corpus = Callable[[], list[bytes]]


@either(public_files)
async def test_a_corpus_is_kept_octet_for_octet(post: Post, backend: MaildirBackend, corpus: Corpus) -> None:
    """R-MIME-21: a message reads as it was appended, and so does its file. Appended again, it exists once."""
    letters = corpus()
    assert len(letters) > 50
    ids = [await backend.append_message("inbox", Octets(letter)) for letter in letters]
    for letter, message in zip(letters, ids, strict=True):
        assert message is not None
        assert await read(await backend.open_source(message)) == letter
        assert (await backend.get_message(message)).size == len(letter)
    kept = sorted((post.maildir(USER) / "new").iterdir())
    assert [file.read_bytes() for file in kept] == letters
    for letter in letters[::10]:
        assert await backend.append_once("inbox", Octets(letter)) in ids
    assert (await backend.list_messages("inbox", ListQuery())).total == len(letters)


@either(public_files)
async def test_a_corpus_is_listed_as_delivered(post: Post, backend: MaildirBackend, corpus: Corpus) -> None:
    """R-MIME-01."""
    letters = corpus()
    for letter in letters:
        post.deliver(USER, letter)
    page = await backend.list_messages("inbox", ListQuery(limit=200))
    assert page.total == len(letters)
    assert [row.size for row in page.items] == [len(letter) for letter in reversed(letters)][:200]
