"""The place of an answer in its thread."""

from hypothesis import given
from hypothesis import strategies as st

from service.submission.replies.threads import MAX_IDS, MAX_OCTETS, Thread, forward_thread, reply_thread
from tests.submission.replies.originals import message


def test_a_reply_names_its_parent_last() -> None:
    """R-SEND-34, RFC 5322 3.6.4."""
    original = message(message_id="c@x", references=("a@x", "b@x"), in_reply_to=("b@x",))
    assert reply_thread(original) == Thread("c@x", ("a@x", "b@x", "c@x"))
    assert forward_thread(original) == Thread(None, ("a@x", "b@x", "c@x"))


def test_without_references_the_parents_parent_is_named() -> None:
    """R-SEND-34: if it is one."""
    assert reply_thread(message(message_id="c@x", in_reply_to=("b@x",))).references == ("b@x", "c@x")
    assert reply_thread(message(message_id="c@x", in_reply_to=("a@x", "b@x"))).references == ("c@x",)
    assert reply_thread(message(message_id="c@x")).references == ("c@x",)


def test_a_parent_without_an_id_leaves_its_thread() -> None:
    """R-SEND-34."""
    assert reply_thread(message(message_id=None, references=("a@x",))) == Thread(None, ("a@x",))
    assert reply_thread(message(message_id=None)) == Thread()


def test_ids_that_cannot_be_written_are_left_out() -> None:
    """R-SEND-34: nothing in them breaks a header, and repetitions go."""
    broken = ("a b@x", "ü@x", "a\r\nBcc: b@x", "<a@x", "x" * 600)
    original = message(message_id="c@x", references=("a@x", *broken, "c@x", "a@x", "b@x"))
    assert reply_thread(original) == Thread("c@x", ("a@x", "b@x", "c@x"))
    assert reply_thread(message(message_id="c @x", references=("a@x",))) == Thread(None, ("a@x",))


def test_long_threads_keep_the_first_and_the_last() -> None:
    """R-SEND-34."""
    references = tuple(f"{number}@x" for number in range(1000))
    found = reply_thread(message(message_id="last@x", references=references)).references
    assert found[0] == "0@x"
    assert found[1:] == (*references[len(references) - MAX_IDS + 2 :], "last@x")
    long = tuple(f"{number}{'y' * 200}@x" for number in range(1000))
    assert reply_thread(message(message_id="last@x", references=long)).references == (long[0], *long[-3:], "last@x")


_IDS = st.text(st.sampled_from("ab@<> \r\nü."), max_size=300)


@given(st.one_of(st.none(), _IDS), st.lists(_IDS, max_size=80))
def test_any_ids_make_a_thread_of_one_line(message_id: str | None, references: list[str]) -> None:
    """R-SEND-34."""
    found = reply_thread(message(message_id=message_id, references=tuple(references)))
    line = " ".join(f"<{each}>" for each in found.references)
    assert len(line) <= MAX_OCTETS
    assert line.isascii()
    assert not set(line) & set("\r\n")
    assert len(set(found.references)) == len(found.references) <= MAX_IDS
    assert found.in_reply_to is None or found.references[-1] == found.in_reply_to == message_id
