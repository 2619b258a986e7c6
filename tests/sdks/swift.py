"""Programs on the Swift package, compiled and run in the Debian that `.ci/servers swift` makes."""

import os
import shutil
import subprocess
from functools import cache
from pathlib import Path

import pytest

from openapi.sdks.jvm import done
from tests.sdks.running import output
from tests.servers.debian import CHROOTS

ROOT = Path(__file__).parents[2]
_SYSTEM = CHROOTS / "swift"
_PLACE = ROOT / "build" / "sdks" / "swift-programs"
_FLOWS = Path(__file__).parent / "flows" / "swift"
_APART = ("unshare", "--mount", "--pid", "--fork", "--kill-child")
_ENTER = """\
mount -t tmpfs tmpfs "$1/mnt"
mkdir "$1/mnt/upper" "$1/mnt/work" "$1/mnt/root"
root=$1/mnt/root
mount -t overlay overlay -o "lowerdir=$1,upperdir=$1/mnt/upper,workdir=$1/mnt/work" "$root"
mount -t proc proc "$root/proc"
mount --bind "$2" "$root/srv"
for device in null zero random urandom; do
  [ -e "$root/dev/$device" ] || cp -a "/dev/$device" "$root/dev/"
done
shift 2
exec chroot "$root" env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin LC_ALL=C.UTF-8 HOME=/tmp "$@"
"""


def _inside(*command: str) -> list[str | Path]:
    return [*_APART, "bash", "-euc", _ENTER, "-", _SYSTEM.resolve(), _PLACE, *command]


def can_enter() -> bool:
    """Whether this is root, may have mounts of its own, and has Swift's compiler."""
    if os.geteuid() != 0 or not _SYSTEM.exists():
        return False
    return subprocess.run([*_APART, "true"], capture_output=True, check=False).returncode == 0


@cache
def _built() -> None:
    if not can_enter():
        pytest.skip("Swift needs root, mounts of its own and `.ci/servers swift`")
    shutil.rmtree(_PLACE, ignore_errors=True)
    _PLACE.mkdir(parents=True)
    [archive] = (ROOT / "build" / "dist" / "swift").glob("CasellaClient-*.zip")
    shutil.unpack_archive(archive, _PLACE)
    next(_PLACE.glob("CasellaClient-*")).rename(_PLACE / "CasellaClient")
    shutil.copytree(_FLOWS, _PLACE / "Programs")
    done(*_inside("swift", "build", "--package-path", "/srv/Programs", "-Xswiftc", "-warnings-as-errors"))


async def swift_program(name: str, *arguments: str) -> str:
    _built()
    return await output(*_inside("/srv/Programs/.build/debug/Programs", name, *arguments))
