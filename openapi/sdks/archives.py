"""Archives that are the same octets each time they are made of the same files."""

import sys
from collections.abc import Mapping
from hashlib import md5, sha1, sha256
from pathlib import Path
from zipfile import ZIP_DEFLATED, ZipFile, ZipInfo

_TIME = (1980, 2, 1, 0, 0, 0)
"""Later than the first moment of a zip file, which some programs read as none; Gradle writes the same."""


def files_in(folder: Path, prefix: str = "") -> dict[str, bytes]:
    return {
        prefix + file.relative_to(folder).as_posix(): file.read_bytes()
        for file in sorted(folder.rglob("*"))
        if file.is_file()
    }


def write_zip(path: Path, files: Mapping[str, bytes]) -> None:
    """In the order of the names, except for a manifest, which comes first as in every jar."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with ZipFile(path, "w") as archive:
        for name in sorted(files, key=lambda name: (not name.startswith("META-INF/MANIFEST"), name)):
            entry = ZipInfo(name, _TIME)
            entry.compress_type = ZIP_DEFLATED
            entry.external_attr = 0o100644 << 16
            archive.writestr(entry, files[name])


def write_checksums(path: Path) -> None:
    """Beside the file, as Maven repositories have them."""
    octets = path.read_bytes()
    for algorithm in (md5, sha1, sha256):
        sum_ = algorithm(octets, usedforsecurity=False)
        path.with_name(f"{path.name}.{sum_.name}").write_text(sum_.hexdigest())


if __name__ == "__main__":
    folder, archive, prefix = sys.argv[1:]
    write_zip(Path(archive), files_in(Path(folder), prefix))
    write_checksums(Path(archive))
