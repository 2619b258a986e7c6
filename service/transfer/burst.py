"""One burst of an import: as much as is done within its time."""

import asyncio
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass

from service.mail.backend import Backend
from service.mail.errors import MailError, NotFound, NotPermitted, UpstreamProtocol
from service.mail.model import Capability, Folder
from service.telemetry import metrics
from service.transfer.group import Count, Found, GroupRun
from service.transfer.index import Index
from service.transfer.links import SOURCE, Paused, concerns_all, is_lost, named, wants_pause
from service.transfer.model import Failure, FolderProgress, ImportProgress, Job, Reason, Report, short
from service.transfer.targets import NO_SUCH_FOLDER, Group, Target, Targets

TRIES, MOST_TRIES = 2, 6
"""How often a folder is tried in a burst if connections are lost and nothing is copied: more often if at each a message
comes under suspicion."""
Listener = Callable[[ImportProgress], None]
Note = Callable[[str], None]


def _ignore(_: object) -> None:
    """The default listener, and the default note."""


async def run_burst(
    source: Backend, destination: Backend, job: Job, seconds: float, listen: Listener = _ignore, note: Note = _ignore
) -> Report:
    """Go on with the import for this many seconds, and note the progress in ``job``. Another call does what is left
    then, in this process or another one: with the same job, or with a new one that has the same options. ``note`` gets
    the id of each message of the source whose copy was made or found.

    Raises OverQuota if the destination is full, and an error of signing in, or of the first look at the two mailboxes.
    Errors after that end the burst early: its report says when to go on.
    """
    burst = Burst(source, destination, job, listen, note)
    return await burst.run(asyncio.get_running_loop().time() + seconds)


@dataclass(eq=False)
class _Plan:
    """The folders of both sides."""

    groups: Sequence[Group]
    targets: Targets
    counts: dict[str, Count]
    """Of the folders of the source, by their ids."""


class Burst:
    """See ``run_burst``."""

    def __init__(self, source: Backend, destination: Backend, job: Job, listen: Listener, note: Note) -> None:
        self._source, self._destination, self._job = source, destination, job
        self._listen, self._note = listen, note
        self._found = Found()
        self._until = 0.0
        self._current: str | None = None

    async def run(self, until: float) -> Report:
        """Until then, by the clock of the event loop. At least one batch is copied."""
        self._until = until
        plan = await self._look()
        retry_after = None
        try:
            is_done = await self._copy(plan)
        except Paused as pause:
            is_done, retry_after = False, pause.retry_after
        finally:
            metrics.imported(self._found.copied, self._found.skipped, len(self._found.failed))
        self._current = None
        return Report(
            is_done,
            self._progress(plan),
            tuple(map(_shown, plan.counts.values())),
            tuple(self._found.failed),
            self._found.deleted,
            tuple(self._found.dropped),
            retry_after,
        )

    async def _look(self) -> _Plan:
        """The folders. Raises InvalidRequest and NotFound for options that do not fit."""
        await self._destination.check()
        if Capability.IMPORT not in self._destination.capabilities:
            raise self._destination.not_supported(Capability.IMPORT)
        async with named(SOURCE):
            listed = await self._source.list_folders()
            wanted = self._wanted(listed)
        targets = Targets(self._destination, await self._destination.list_folders())
        if self._job.options.into is not None:
            groups = [Group(targets.named(self._job.options.into), wanted)] if wanted else []
        else:
            groups = targets.groups(wanted, listed)
        return _Plan(groups, targets, {folder.id: self._first_count(folder) for folder in wanted})

    def _wanted(self, listed: Sequence[Folder]) -> list[Folder]:
        """The folders to copy. Raises NotFound."""
        names = self._job.options.folders
        if names is None:
            return [folder for folder in listed if folder.is_selectable and folder.namespace is None]
        by_name = {name: folder for folder in listed for name in (folder.id, folder.role) if name}
        by_name |= {short(name): folder for name, folder in by_name.items()}
        if missing := [name for name in names if name not in by_name or not by_name[name].is_selectable]:
            raise NotFound("folder", f"There is no folder {missing[0][:200]}.")
        return list({folder.id: folder for folder in (by_name[name] for name in names)}.values())

    def _first_count(self, folder: Folder) -> Count:
        """By what earlier bursts noted."""
        progress, count = self._job.progress, Count(folder)
        key = count.key
        if key in progress.done:
            count.copied, count.skipped, count.left = progress.done[key]
        else:
            count.copied = progress.begun.get(key, 0)
            gone = progress.gone.get(key, 0)
            count.skipped = max(0, gone - count.copied)
            count.left = max(0, (folder.total_messages or 0) - max(0, count.copied - gone))
        return count

    async def _copy(self, plan: _Plan) -> bool:
        """Whether all is done."""
        is_first = True
        for group in plan.groups:
            counts = [plan.counts[folder.id] for folder in group.sources]
            if all(count.key in self._job.progress.done for count in counts):
                continue
            if not is_first and self._is_over():
                return False
            if not await self._copy_group(plan, group, counts):
                return False
            is_first = False
        return True

    async def _copy_group(self, plan: _Plan, group: Group, counts: Sequence[Count]) -> bool:
        self._current = counts[0].name
        tries, is_done = 0, None
        while is_done is None:
            copied, suspected = self._found.copied, self._suspected()
            try:
                is_done = await self._try_group(plan, group, counts)
            except MailError as error:
                tries = tries + 1 if self._found.copied == copied else 0
                most = TRIES if self._suspected() == suspected else MOST_TRIES
                is_done = await self._after(error, group, counts, is_last=tries >= most)
        if is_done:
            for count in counts:
                self._job.progress.finish(count.key, count.copied, count.skipped, count.left)
        return is_done

    def _suspected(self) -> int:
        """Rises if a connection is lost while a message is read or written."""
        return sum(self._job.progress.suspects.values())

    async def _after(self, error: MailError, group: Group, counts: Sequence[Count], *, is_last: bool) -> bool | None:
        """Whether the folder is done after this error; None if it is to be tried again. Raises Paused, or the error if
        nothing helps."""
        if isinstance(error, NotPermitted):
            self._refuse(counts, Reason.REFUSED, error)
            return True
        if isinstance(error, NotFound):
            if not await self._has(group.target):  # another program removed it: the next burst makes it
                raise Paused(error) from error
            self._refuse(counts, Reason.NO_FOLDER, error)
            return True
        if is_last and isinstance(error, UpstreamProtocol):  # it would be the same in the next burst
            self._refuse(counts, Reason.UNREADABLE, error)
            return True
        if wants_pause(error) or (is_lost(error) and (is_last or self._is_over())):
            raise Paused(error) from error
        if not is_lost(error):
            raise error
        return None

    async def _has(self, target: Target) -> bool:
        """Whether the destination lists the folder now."""
        listed = await self._destination.list_folders()
        return target.folder is not None and any(folder.id == target.folder.id for folder in listed)

    async def _try_group(self, plan: _Plan, group: Group, counts: Sequence[Count]) -> bool:
        target = group.target.folder.id if group.target.folder and group.target.folder.is_selectable else None
        if target is None and not self._job.options.is_dry:
            try:
                target = (await plan.targets.make(group.target)).id
            except NO_SUCH_FOLDER as error:
                if concerns_all(error):
                    raise
                self._refuse(counts, Reason.NO_FOLDER, error)
                return True
        run = GroupRun(
            self._source,
            self._destination,
            self._job,
            self._found,
            self._is_over,
            lambda: self._tell(plan),
            self._note,
        )
        if not group.is_view:
            return await run.run(counts, target)
        others = [other for other in plan.groups if other is not group]
        return await run.run(counts, target, await self._made(plan, others), await self._planned(plan.groups, group))

    async def _made(self, plan: _Plan, groups: Sequence[Group]) -> list[str]:
        """The folders of the destination that other folders go into. Those of earlier bursts may have other names than
        at the source."""
        made: list[str] = []
        for group in groups:
            if group.target.folder is None and not self._job.options.is_dry:
                with suppress(*NO_SUCH_FOLDER):
                    await plan.targets.make(group.target)
            made += [group.target.folder.id] if group.target.folder else []
        return made

    async def _planned(self, groups: Sequence[Group], view: Group) -> Index | None:
        """Of a dry run: what it would have copied before the view."""
        if not self._job.options.is_dry:
            return None
        index = Index(self._source)
        before = groups[: groups.index(view)]
        async with named(SOURCE):
            for folder in (source for group in before for source in group.sources):
                with suppress(NotFound):
                    await index.read(folder.id)
        return index

    def _refuse(self, counts: Sequence[Count], reason: Reason, error: MailError) -> None:
        """The messages that are left in these folders stay at the source."""
        for count in counts:
            self._found.failed.append(Failure(folder=count.name, reason=reason, detail=error.detail))

    def _is_over(self) -> bool:
        return asyncio.get_running_loop().time() >= self._until

    def _tell(self, plan: _Plan) -> None:
        self._listen(self._progress(plan))

    def _progress(self, plan: _Plan) -> ImportProgress:
        counts = plan.counts.values()
        return ImportProgress(
            copied=sum(count.copied for count in counts),
            skipped=sum(count.skipped for count in counts),
            left=sum(count.left for count in counts),
            octets=self._job.progress.octets,
            folder=self._current,
        )


def _shown(count: Count) -> FolderProgress:
    return FolderProgress(name=count.name, copied=count.copied, skipped=count.skipped, left=count.left)
