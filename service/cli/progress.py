"""What ``casella import`` does, with the progress on the terminal."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from service.accounts.credentials import Credentials
from service.backends import Adapter
from service.mail.backend import Backend
from service.mail.errors import InvalidRequest, MailError, OverQuota
from service.mail.model import Protocol
from service.transfer.burst import run_burst
from service.transfer.links import SOURCE, named
from service.transfer.model import Failure, ImportProgress, Job, Options, Report

BURST_SECONDS = 60.0
SHOWN = 50
"""Failures that are printed."""
_COLUMNS = ("folder", "copied", "there before", "left")


@dataclass
class _Done:
    """What all bursts have found."""

    failed: list[Failure] = field(default_factory=list)
    dropped: dict[str, None] = field(default_factory=dict)
    deleted: int = 0

    def add(self, report: Report) -> None:
        """One more burst."""
        self.failed += report.failed
        self.dropped |= dict.fromkeys(report.dropped)
        self.deleted += report.deleted


async def run_import(
    adapters: Callable[[Protocol], Adapter],
    source: Credentials,
    destination: Credentials,
    options: Options,
    console: Console,
) -> int:
    """Run an import to its end; returns the exit code. Raises MailError if one of the mailboxes cannot be used. It may
    be broken off at any moment: the next run goes on."""
    if source.account == destination.account or (options.deletes_source and source.is_like(destination)):
        raise InvalidRequest("Source and destination are the same mailbox.")
    old, new = (adapters(each.protocol)(each) for each in (source, destination))
    try:
        async with named(SOURCE):
            await old.check()
        async with named("The destination"):
            await new.check()
        return await _run(old, new, Job(options), console)
    finally:
        await asyncio.gather(old.aclose(), new.aclose())


async def _run(source: Backend, destination: Backend, job: Job, console: Console) -> int:
    done = _Done()
    with Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        console=console,
        transient=True,
        disable=not console.is_terminal,
    ) as progress:
        task = progress.add_task("Looking at both mailboxes", total=None)

        def show(state: ImportProgress) -> None:
            seen = state.copied + state.skipped
            progress.update(
                task, description=escape(state.folder or ""), completed=seen, total=seen + (state.left or 0)
            )

        while True:
            try:
                report = await run_burst(source, destination, job, BURST_SECONDS, show)
            except OverQuota as full:
                console.print(f"{escape(full.detail)} Make room, and run the same command again: it goes on.")
                return 1
            done.add(report)
            if report.is_done:
                break
            if report.retry_after:
                progress.update(task, description=f"Waiting {report.retry_after} s, as a mail server asks")
                await asyncio.sleep(report.retry_after)
    _summarise(report, done, job.options, console)
    return 1 if done.failed else 0


def _summarise(report: Report, done: _Done, options: Options, console: Console) -> None:
    table = Table(*_COLUMNS, title="Nothing was copied: this was a dry run." if options.is_dry else None)
    for column in table.columns[1:]:
        column.justify = "right"
    for folder in report.folders:
        table.add_row(escape(folder.name), *(f"{count:,}" for count in (folder.copied, folder.skipped, folder.left)))
    total = report.progress
    table.add_section()
    table.add_row("all", *(f"{count:,}" for count in (total.copied, total.skipped, total.left or 0)), style="bold")
    console.print(table)
    word = "to copy" if options.is_dry else "copied"
    console.print(f"{total.octets / 1e6:,.1f} MB {word}.")
    if options.deletes_source:
        console.print(f"{done.deleted:,} messages deleted at the source.")
    if done.dropped:
        console.print(f"Flags that the destination does not keep: {escape(', '.join(done.dropped))}.")
    for failure in done.failed[:SHOWN]:
        console.print(f"✗ {escape(failure.folder)}: {escape(failure.detail)}", highlight=False)
    if len(done.failed) > SHOWN:
        console.print(f"✗ and {len(done.failed) - SHOWN:,} more")


def explain(error: MailError) -> str:
    """An error for people at a terminal."""
    wait = f" Try again in {error.retry_after} s." if error.retry_after else ""
    return f"{error.detail}{wait}"
