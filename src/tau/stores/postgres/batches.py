"""Many callers, one transaction: what is asked while a commit is under way goes into the next."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Generic, TypeAlias, TypeVar

from tau.errors import StoreError
from tau.stores.postgres.database import Operation, PostgresDatabase
from tau.stores.postgres.transaction import Opening, PostgresTransaction

A = TypeVar("A")
T = TypeVar("T")
Together: TypeAlias = Callable[
    [PostgresTransaction, Sequence[A]], Awaitable[Sequence[T | StoreError]]
]

_MOST = 500
_STEPS = 4
"""So many turns of the event loop until a caller has its answer and asks again."""


class Batch(Generic[A, T]):
    """Serves callers of one kind together; each gets an answer or an error of its own.

    `opening` begins the transaction that serves some. `undo` is what to do about an answer whose
    caller has gone.
    """

    def __init__(
        self,
        database: PostgresDatabase,
        together: Together[A, T],
        *,
        opening: Callable[[Sequence[A]], Opening | None],
        undo: Callable[[T], Operation[None] | None] | None = None,
        before: Callable[[Sequence[A]], Awaitable[None]] | None = None,
    ) -> None:
        """`together` runs in one transaction and answers in order.

        What is asked until `before` has returned is served with the rest.
        """
        self._database = database
        self._together = together
        self._opening = opening
        self._undo = undo
        self._before = before
        self._waiting: list[tuple[A, asyncio.Future[T]]] = []
        self._worker: asyncio.Task[None] | None = None
        self._turn: asyncio.Future[None] | None = None

    async def ask(self, argument: A) -> T:
        """Be served with the others; cancelled before its turn, nothing is done."""
        future: asyncio.Future[T] = asyncio.get_running_loop().create_future()
        self._waiting.append((argument, future))
        if self._worker is None or self._worker.done():
            self._worker = asyncio.create_task(self._serve())
        return await future

    async def aclose(self) -> None:
        """Serve what was asked."""
        if self._worker is not None:
            await asyncio.wait([self._worker])

    async def quiet(self) -> None:
        """Let the turn under way end, and those whom it serves ask for what comes next."""
        turn = self._turn
        if turn is None:
            return
        await asyncio.wait([turn])
        for _ in range(_STEPS):
            await asyncio.sleep(0)

    async def _serve(self) -> None:
        while self._waiting:
            if self._before is not None:
                await self._before([argument for argument, _ in self._waiting])
            turn, self._waiting = self._waiting[:_MOST], self._waiting[_MOST:]
            turn = [(argument, future) for argument, future in turn if not future.done()]
            if turn:
                self._turn = asyncio.get_running_loop().create_future()
                try:
                    await self._serve_together(turn)
                finally:  # whatever happens, nobody waits for a turn that is over
                    self._turn.set_result(None)
                    self._turn = None

    async def _serve_together(self, turn: Sequence[tuple[A, asyncio.Future[T]]]) -> None:
        arguments = [argument for argument, _ in turn]
        try:
            answers = await self._database.write(
                lambda transaction: self._together(transaction, arguments),
                opening=self._opening(arguments),
            )
        except Exception as error:  # noqa: BLE001  (it is raised at every caller)
            for _, future in turn:
                if not future.done():
                    future.set_exception(_again(error))
            return
        for (_, future), answer in zip(turn, answers, strict=True):
            if future.done():
                await self._take_back(answer)
            elif isinstance(answer, StoreError):
                future.set_exception(answer)
            else:
                future.set_result(answer)

    async def _take_back(self, answer: T | StoreError) -> None:
        if self._undo is None or isinstance(answer, StoreError):
            return
        undo = self._undo(answer)
        if undo is not None:
            await self._database.write(undo)


def _again(error: Exception) -> Exception:
    """The same error for one more caller, with a traceback of its own."""
    if isinstance(error, StoreError):
        again = type(error)(error.what, where=error.where, why=error.why, fix=error.fix)
        again.__cause__ = error
        return again
    return error
