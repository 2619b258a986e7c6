"""Flags as letters of a file's name, and the keywords that Dovecot gives letters to in each folder
(``dovecot-keywords``)."""

import re
from collections.abc import Iterable, Mapping, Sequence

from service.adapters.maildir import disk
from service.mail.errors import InvalidRequest, NotPermitted

FILE = "dovecot-keywords"
LOCK = "dovecot-keywords.lock"
SYNC_LOCK = "dovecot-uidlist.lock"
"""Held by Dovecot from when it reads the keywords until it has written them."""
SYSTEM: Mapping[str, str] = {"D": "$draft", "F": "$flagged", "R": "$answered", "S": "$seen", "T": "$deleted"}
_LETTERS = {name: letter for letter, name in SYSTEM.items()}
_KEYWORD_LETTERS = "abcdefghijklmnopqrstuvwxyz"
_FLAG = re.compile(r'\$?[^\x00-\x20\x7f-\U0010ffff(){%*"\\\]]{1,250}')
_LINE = re.compile(rb"(\d{1,2}) ([\x21-\x7e]{1,1000})")


def named(flags: Iterable[str]) -> tuple[str, ...]:
    """Lower case, each once. InvalidRequest for what is no flag (RFC 8621, 4.1.1)."""
    names = tuple(dict.fromkeys(flag.lower() for flag in flags))
    for name in names:
        if not _FLAG.fullmatch(name):
            raise InvalidRequest(f"{name!r} is no flag.")
    return names


def read_keywords(folder: int) -> dict[str, str]:
    """Keywords by letter."""
    return _parsed(disk.read_small(folder, FILE))


def _parsed(octets: bytes) -> dict[str, str]:
    lines = map(_LINE.fullmatch, octets.splitlines())
    told = {int(line[1]): line[2].decode().lower() for line in lines if line}
    return {_KEYWORD_LETTERS[number]: name for number, name in told.items() if number < len(_KEYWORD_LETTERS)}


def flags_of(letters: str, keywords: Mapping[str, str]) -> tuple[str, ...]:
    """The flags behind letters. Letters that nobody explains are no flags."""
    return tuple(name for letter in letters if (name := SYSTEM.get(letter) or keywords.get(letter)))


def letters_of(flags: Iterable[str], folder: int) -> set[str]:
    """Letters for flags, those of new keywords given out now. NotPermitted where all are taken."""
    system, others = set(), []
    for flag in flags:
        if flag in _LETTERS:
            system.add(_LETTERS[flag])
        else:
            others.append(flag)
    return system | (_keyword_letters(others, folder) if others else set())


def unexplained(letters: str, keywords: Mapping[str, str]) -> set[str]:
    """Letters that other programs set for themselves, and that stay."""
    return {letter for letter in letters if letter not in SYSTEM and letter not in keywords}


def _keyword_letters(names: Sequence[str], folder: int) -> set[str]:
    known = read_keywords(folder)
    if not set(known.values()) >= set(names):
        with disk.locked(folder, SYNC_LOCK):
            known = _parsed(disk.rewrite(folder, FILE, lambda octets: _with(octets, names), LOCK))
    return {letter for letter, name in known.items() if name in names}


def _with(octets: bytes, names: Sequence[str]) -> bytes:
    known = _parsed(octets)
    wanted = [name for name in names if name not in known.values()]
    free = [number for number, letter in enumerate(_KEYWORD_LETTERS) if letter not in known]
    if len(wanted) > len(free):
        raise NotPermitted("This folder keeps no more keywords.")
    return octets + b"".join(b"%d %b\n" % (at, name.encode()) for at, name in zip(free, wanted, strict=False))
