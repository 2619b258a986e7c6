"""Flags as letters of a file name, and the keywords to which Dovecot gives letters in each folder
(``dovecot-keywords``)."""

import re
from collections.abc import Iterable, Mapping, Sequence
from functools import partial

from service.adapters.maildir.disk import files as disk
from service.mail.errors import InvalidRequest, NotPermitted

FILE = "dovecot-keywords"
LOCK = "dovecot-keywords.lock"
SYNC_LOCK = "dovecot-uidlist.lock"
"""Dovecot holds it from reading the keywords until it has written them."""
SYSTEM: Mapping[str, str] = {"D": "$draft", "F": "$flagged", "R": "$answered", "S": "$seen", "T": "$deleted"}
_LETTERS = {name: letter for letter, name in SYSTEM.items()}
_KEYWORD_LETTERS = "abcdefghijklmnopqrstuvwxyz"
_FLAG = re.compile(r'\$?[^\x00-\x20\x7f-\U0010ffff(){%*"\\\]]{1,250}')
_LINE = re.compile(rb"(\d{1,2}) ([\x21-\x7e]{1,1000})")


def flag_names(flags: Iterable[str]) -> tuple[str, ...]:
    """The flags in lower case, each once. Raises InvalidRequest for an invalid name (RFC 8621, 4.1.1)."""
    names = tuple(dict.fromkeys(flag.lower() for flag in flags))
    for name in names:
        if not _FLAG.fullmatch(name):
            raise InvalidRequest(f"{name!r} is not a valid flag.")
    return names


def read_keywords(folder: int) -> dict[str, str]:
    """The folder's keywords by letter."""
    return _parse(disk.read_small(folder, FILE))


def _parse(octets: bytes) -> dict[str, str]:
    lines = map(_LINE.fullmatch, octets.splitlines())
    keywords = {int(line[1]): line[2].decode().lower() for line in lines if line}
    return {_KEYWORD_LETTERS[number]: name for number, name in keywords.items() if number < len(_KEYWORD_LETTERS)}


def flags_of(letters: str, keywords: Mapping[str, str]) -> tuple[str, ...]:
    """The flags that the letters stand for. Letters without a meaning are left out."""
    return tuple(name for letter in letters if (name := SYSTEM.get(letter) or keywords.get(letter)))


def letters_of(flags: Iterable[str], folder: int) -> set[str]:
    """The letters of the flags; new keywords get theirs now. Raises NotPermitted if no letter is free, InUse if another
    program keeps the keywords locked."""
    system, others = set(), []
    for flag in flags:
        if flag in _LETTERS:
            system.add(_LETTERS[flag])
        else:
            others.append(flag)
    return system | (_keyword_letters(others, folder) if others else set())


def unexplained(letters: str, keywords: Mapping[str, str]) -> set[str]:
    """Letters that other programs set for their own use. They must stay."""
    return {letter for letter in letters if letter not in SYSTEM and letter not in keywords}


def _keyword_letters(names: Sequence[str], folder: int) -> set[str]:
    keywords = read_keywords(folder)
    if not set(keywords.values()) >= set(names):
        with disk.locked(folder, SYNC_LOCK):
            keywords = _parse(disk.rewrite(folder, FILE, partial(_with_keywords, names), LOCK))
    return {letter for letter, name in keywords.items() if name in names}


def _with_keywords(names: Sequence[str], octets: bytes) -> bytes:
    keywords = _parse(octets)
    new = [name for name in names if name not in keywords.values()]
    free = [number for number, letter in enumerate(_KEYWORD_LETTERS) if letter not in keywords]
    if len(new) > len(free):
        raise NotPermitted("This folder cannot keep more keywords.")
    return octets + b"".join(b"%d %b\n" % (number, name.encode()) for number, name in zip(free, new, strict=False))
