"""Which folder of the destination a folder of the source becomes: the one with its role, else the one with its name,
else a new one."""

import re
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from service.mail.backend import Backend
from service.mail.errors import AlreadyExists, InvalidRequest, NotFound, NotPermitted, UpstreamError
from service.mail.model import Folder

VIEWS = frozenset({"all", "flagged"})
"""Folders that show messages of others: they come last, and only what is nowhere else is copied from them."""
Path = tuple[str, ...]
_UNSAFE = re.compile(r"[^\w \-]")
"""What some server separates names by, or gives a meaning."""
NO_SUCH_FOLDER = (InvalidRequest, NotPermitted, UpstreamError)
"""Refusals to make a folder."""


@dataclass(eq=False)
class Target:
    """A folder of the destination. Without ``folder`` it is one to be made; without ``parent`` at the root."""

    name: str
    parent: "Target | None" = None
    folder: Folder | None = None


@dataclass(eq=False)
class Group:
    """Folders of the source whose messages go into the same folder."""

    target: Target
    sources: list[Folder] = field(default_factory=list)

    @property
    def is_view(self) -> bool:
        """Whether it has only messages that other folders have too."""
        return all(source.role in VIEWS or _is_important(source) for source in self.sources)


def _is_important(folder: Folder) -> bool:
    """Gmail's view of what it considers important. No role says that (RFC 8457 has none)."""
    return len(folder.path) > 1 and _is_container(folder.path[0]) and folder.role is None


def _is_container(name: str) -> bool:
    """Whether it is the name of a root that the server has for folders of its own, such as ``[Gmail]``."""
    return name.startswith("[") and name.endswith("]")


class Targets:
    """The folders of a destination, found and made."""

    def __init__(self, destination: Backend, folders: Sequence[Folder]) -> None:
        self._destination = destination
        own = [folder for folder in folders if folder.namespace is None]
        self._by_role = {folder.role: Target(folder.name, None, folder) for folder in own if folder.role}
        self._by_id = {
            folder.id: self._by_role.get(folder.role or "") or Target(folder.name, None, folder) for folder in own
        }
        self._children = {(folder.parent_id, _same(folder.name)): self._by_id[folder.id] for folder in own}
        self._new: dict[tuple[Target | None, str], Target] = {}

    def named(self, folder: str) -> Target:
        """The one with this id or role. Raises NotFound."""
        target = self._by_id.get(folder) or self._by_role.get(folder)
        if target is None or target.folder is None or not target.folder.is_selectable:
            raise NotFound("folder", "The destination has no such folder.")
        return target

    def groups(self, sources: Sequence[Folder], listed: Sequence[Folder]) -> list[Group]:
        """The sources by target: views last, otherwise in their order. ``listed`` are all folders of the source."""
        by_path = {folder.path: folder for folder in listed if folder.namespace is None}
        groups: dict[Target, Group] = {}
        for source in sources:
            target = self._target(source.path, by_path)
            assert target is not None
            groups.setdefault(target, Group(target)).sources.append(source)
        return sorted(groups.values(), key=lambda group: group.is_view)

    def _target(self, path: Path, by_path: Mapping[Path, Folder]) -> Target | None:
        """None for the root."""
        source = by_path.get(path)
        if source is not None and source.role in self._by_role:
            return self._by_role[source.role]
        if not path or (len(path) == 1 and _is_container(path[0]) and not (source and source.is_selectable)):
            return None
        return self._child(self._target(path[:-1], by_path), path[-1])

    def _child(self, parent: Target | None, name: str) -> Target:
        known = None
        if parent is None or parent.folder is not None:
            known = self._children.get((parent.folder.id if parent and parent.folder else None, _same(name)))
        return known or self._new.setdefault((parent, _same(name)), Target(name, parent))

    async def make(self, target: Target) -> Folder:
        """The folder, made if there is none. Raises InvalidRequest if the mail server can have none like it."""
        if target.folder is None or not target.folder.is_selectable:
            parent = await self._parent(target.parent) if target.parent else None
            target.folder = await self._make(target.name, parent, target.parent)
        return target.folder

    async def _parent(self, target: Target) -> Folder:
        """It may be one that only contains folders."""
        return target.folder if target.folder is not None else await self.make(target)

    async def _make(self, name: str, parent: Folder | None, above: Target | None) -> Folder:
        """A name that the server cannot have is written without signs; if no folder can be in that parent, the name
        begins with the parent's."""
        places: list[tuple[str, Folder | None]] = [(name, parent), (safe_name(name), parent)]
        if above is not None:
            places.append((safe_name(f"{above.name}-{name}"), None))
        error: Exception | None = None
        for own, within in dict.fromkeys(places):
            try:
                return await self._destination.create_folder(own, within.id if within else None)
            except AlreadyExists:
                if (known := await self._existing(own, within)) is not None:
                    return known
            except NO_SUCH_FOLDER as refusal:
                error = refusal
        raise error or InvalidRequest("The destination cannot have a folder of this name.")

    async def _existing(self, name: str, parent: Folder | None) -> Folder | None:
        """Another program made it meanwhile, or the server does not tell letter cases apart."""
        listed = await self._destination.list_folders()
        siblings = [folder for folder in listed if folder.parent_id == (parent.id if parent else None)]
        same = [folder for folder in siblings if _same(folder.name) == _same(name)]
        alike = [folder for folder in siblings if _same(folder.name).casefold() == _same(name).casefold()]
        return next(iter([*same, *alike]), None)


def _same(name: str) -> str:
    return unicodedata.normalize("NFC", name)


def safe_name(name: str) -> str:
    """The name as any server can have it."""
    return _UNSAFE.sub("_", _same(name)).strip()[:100].strip() or "_"
