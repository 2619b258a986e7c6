"""``python -m tests.bench.imports``: a mailbox copied by ``casella import`` and by mbsync (Debian's isync), on the same
Dovecot in one run, in turn. Seconds, and the most memory of the process."""

import argparse
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from tests.servers.dovecot import PASSWORD, Dovecot
from tests.servers.process import HOST
from tests.transfer.checker import contents, differences
from tests.transfer.letters import FOLDERS, letters

SLOWEST = 1.5
MOST_MB = 120
_STORE = """IMAPAccount {name}
Host {host}
Port {port}
User {user}
Pass {password}
SSLType None
AuthMechs PLAIN

IMAPStore {name}
Account {name}

"""
_CHANNEL = """Channel all
Far :far:
Near :near:
Patterns *
Sync PullNew
Create Near
CopyArrivalDate yes
SyncState {folder}/
"""


def run(words: Sequence[str], environment: Mapping[str, str] | None = None) -> tuple[float, float]:
    """Seconds, and megabytes."""
    began = time.monotonic()
    process = subprocess.Popen(
        words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env={**os.environ, **(environment or {})}
    )
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise RuntimeError(f"{words[0]} failed")
    return time.monotonic() - began, usage.ru_maxrss / 1024


def by_mbsync(dovecot: Dovecot, old: str, new: str, folder: Path) -> tuple[float, float]:
    """One run of mbsync, which knows nothing yet."""
    state = folder / new
    state.mkdir()
    stores = ((name, user) for name, user in (("far", old), ("near", new)))
    text = "".join(
        _STORE.format(name=name, host=HOST, port=dovecot.ports.imap, user=user, password=PASSWORD)
        for name, user in stores
    )
    file = folder / f"{new}.rc"
    file.write_text(text + _CHANNEL.format(folder=state))
    return run(["mbsync", "-q", "-c", str(file), "all"])


def by_casella(dovecot: Dovecot, old: str, new: str, folder: Path) -> tuple[float, float]:
    """One run of the command, from the start of Python to its end."""
    file = folder / "casella.toml"
    file.write_text(f'[servers.home.imap]\nhost = "{HOST}"\nport = {dovecot.ports.imap}\nsecurity = "none"\n')
    secrets = {"CASELLA_FROM_PASSWORD": PASSWORD, "CASELLA_TO_PASSWORD": PASSWORD}
    return run([sys.executable, "-m", "service", "import", old, new, "--config", str(file)], secrets)


def main(count: int, large: int, rounds: int) -> bool:
    """Whether it is quick enough, and small enough."""
    if shutil.which("mbsync") is None:
        raise SystemExit("This needs mbsync: apt-get install isync")
    figures: dict[str, list[tuple[float, float]]] = {"mbsync": [], "casella": []}
    with Dovecot() as dovecot, tempfile.TemporaryDirectory() as folder:
        old = dovecot.user("old")
        for name in FOLDERS:
            dovecot.seed(old, [each.mail for each in letters(count, large=large) if each.folder == name], name)
        expected = contents(dovecot, old)
        for _ in range(rounds):
            for tool, copy in (("mbsync", by_mbsync), ("casella", by_casella)):
                new = dovecot.user(tool)
                figures[tool].append(copy(dovecot, old, new, Path(folder)))
                if tool == "casella":
                    assert differences(expected, contents(dovecot, new)) == []
    print("| tool | seconds, median | least | most | MB |\n|---|---|---|---|---|")
    for tool, runs in figures.items():
        seconds = [each for each, _ in runs]
        memory = max(each for _, each in runs)
        print(f"| {tool} | {statistics.median(seconds):.2f} | {min(seconds):.2f} | {max(seconds):.2f} | {memory:.0f} |")
    medians = {tool: statistics.median(seconds for seconds, _ in runs) for tool, runs in figures.items()}
    most = max(memory for _, memory in figures["casella"])
    print(
        f"\n{count} messages in {len(FOLDERS)} folders, {medians['casella'] / medians['mbsync']:.2f} times mbsync's time"
    )
    return medians["casella"] <= SLOWEST * medians["mbsync"] and most < MOST_MB


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m tests.bench.imports", description=__doc__)
    parser.add_argument("--count", type=int, default=5000)
    parser.add_argument("--large", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    sys.exit(0 if main(options.count, options.large, options.rounds) else 1)
