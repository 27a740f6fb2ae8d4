"""What the lanes ask for and get: an article's outcome, from whatever enriches."""

from typing import TYPE_CHECKING, NamedTuple, Protocol

from worker.enrich.job import Done, Failed, Job

if TYPE_CHECKING:
    import asyncio


class Outcome(NamedTuple):
    """What became of an article, and after how many tries."""

    result: Done | Failed
    attempts: int


class Work(Protocol):
    """What the lanes need of a pool."""

    def submit(self, job: Job) -> "asyncio.Future[Outcome]":
        """Queue an article. The future never fails; cancelled, the article is not started any more."""

    async def run(self, job: Job) -> Outcome:
        """Enrich one article."""

    def waiting(self) -> set["asyncio.Future[Outcome]"]:
        """Return the articles that no process has been given yet."""

    async def stop(self) -> None:
        """Stop; articles that still wait are dropped, their futures cancelled."""
