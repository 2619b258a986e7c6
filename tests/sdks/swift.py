"""Programs on the Swift package, compiled and run in the Debian that `.ci/servers swift` makes."""

import os
import shutil
import subprocess
from collections.abc import Mapping
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
_PACKAGE = """\
// swift-tools-version:6.0
import PackageDescription
let package = Package(name: "{name}", dependencies: [.package(path: "../CasellaClient")], targets: [{targets}])
"""
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


def _place() -> Path:
    """The folder with the unpacked package. Programs that depend on it are built beside it."""
    if not can_enter():
        pytest.skip("Swift needs root, mounts of its own and `.ci/servers swift`")
    if not (_PLACE / "CasellaClient").exists():
        _PLACE.mkdir(parents=True, exist_ok=True)
        [archive] = (ROOT / "build" / "dist" / "swift").glob("CasellaClient-*.zip")
        shutil.unpack_archive(archive, _PLACE)
        next(_PLACE.glob("CasellaClient-*")).rename(_PLACE / "CasellaClient")
    return _PLACE


def _build(package: str) -> None:
    done(*_inside("swift", "build", "--package-path", f"/srv/{package}", "-Xswiftc", "-warnings-as-errors"))


@cache
def _built() -> None:
    shutil.copytree(_FLOWS, _place() / "Programs", dirs_exist_ok=True)
    _build("Programs")


async def swift_program(name: str, *arguments: str) -> str:
    _built()
    return await output(*_inside("/srv/Programs/.build/debug/Programs", name, *arguments))


def swift_mains(package: str, texts: Mapping[str, str]) -> list[list[str | Path]]:
    """A program of each text: the commands that run them."""
    place = _place() / package
    for name, text in texts.items():
        file = place / "Sources" / name / "main.swift"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
    targets = ", ".join(f'.executableTarget(name: "{name}", dependencies: ["CasellaClient"])' for name in texts)
    (place / "Package.swift").write_text(_PACKAGE.format(name=package, targets=targets))
    _build(package)
    return [_inside(f"/srv/{package}/.build/debug/{name}") for name in texts]
