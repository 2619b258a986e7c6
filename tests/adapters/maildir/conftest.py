"""A mailbox on disk, and the other programs that use it."""

from pathlib import Path

import pytest

from service.adapters.maildir.backend import MaildirBackend
from tests.adapters.maildir.post import Post

USER = "ann@example.org"


@pytest.fixture
def post(tmp_path: Path) -> Post:
    """The other programs, with one user."""
    post = Post(tmp_path)
    post.user(USER)
    return post


@pytest.fixture
def backend(post: Post) -> MaildirBackend:
    """The user's mailbox."""
    return post.backend(USER)
