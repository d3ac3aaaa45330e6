"""The keys of attempts under way: made for one, dead when it ends."""

import asyncio
import hashlib
import hmac
import secrets
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from contextvars import Context, copy_context

from tau.domain.chat import Completion, ModelRequest
from tau.errors import AttemptError, BudgetRefused, NotConnected
from tau.ports.endpoint import EndpointAccess, LeaseTerms
from tau.ports.model import Model
from tau.ports.record import Recorder

Override = Callable[[Mapping[str, str], float], AbstractContextManager[None]]
_KEY_BYTES = 24


class AttemptLease:
    """Implements `ports.endpoint.EndpointLease`; `record` is the attempt's."""

    def __init__(
        self,
        record: Recorder,
        terms: LeaseTerms,
        *,
        access: Callable[[str, str], EndpointAccess],
        override: Override,
    ) -> None:
        """`access` says where to call with a lease's name and key; asking for it starts it."""
        self.name = secrets.token_hex(6)
        self.key = f"tau-{secrets.token_urlsafe(_KEY_BYTES)}"
        self.terms = terms
        self.calls = 0
        """Calls that were made or refused: the agent has found the endpoint."""
        self.asked = terms.expected
        self._made = 0
        self._record = record
        self._access = access
        self._override = override
        self._context: Context = copy_context()  # spans of calls hang where the lease was taken
        self._tasks: set[asyncio.Task[Completion]] = set()
        self._trouble: AttemptError | None = None
        self.ended = False

    @property
    def access(self) -> EndpointAccess:
        """Where and with which key."""
        self.asked = True
        return self._access(self.name, self.key)

    @property
    def trouble(self) -> AttemptError | None:
        """What the last call ended with."""
        return self._trouble

    def environment(self, wait_s: float) -> AbstractContextManager[None]:
        """The variables, set in this process."""
        return self._override(self.access.variables, wait_s)

    async def call(self, model: Model, request: ModelRequest) -> Completion:
        """Make a call as part of the attempt; ended with it."""
        self._count()
        task = asyncio.get_running_loop().create_task(
            self._record.call(model, request),
            context=self._context.copy(),
        )
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        try:
            completion = await task
        except AttemptError as error:
            self._trouble = error
            if isinstance(error, NotConnected):
                self._made -= 1
            raise
        except asyncio.CancelledError:
            task.cancel()
            if self.ended:
                raise BudgetRefused("the attempt has ended") from None
            raise
        self._trouble = None
        return completion

    def end(self) -> None:
        """Stop what is under way: the attempt is over."""
        self.ended = True
        for task in tuple(self._tasks):
            task.cancel()

    def _count(self) -> None:
        if self._made >= self.terms.calls:
            self._trouble = BudgetRefused(
                f"the attempt has used the {self.terms.calls} model calls it reserved",
                fix="raise executor.calls in the configuration",
            )
            raise self._trouble
        self._made += 1


class Leases:
    """Those in force."""

    def __init__(self) -> None:
        self._by_digest: dict[bytes, AttemptLease] = {}
        self.silent = 0
        """How many ended without a call although one was expected."""
        self.spoke = 0
        """How many ended with calls."""

    @contextmanager
    def held(self, lease: AttemptLease) -> Iterator[AttemptLease]:
        """Let it be found for as long as the block lasts."""
        digest = _digest(lease.key)
        self._by_digest[digest] = lease
        try:
            yield lease
        finally:
            del self._by_digest[digest]
            lease.end()
            self.spoke += bool(lease.calls)
            self.silent += lease.asked and not lease.calls

    def find(self, name: str | None, key: str) -> AttemptLease | None:
        """The lease of this key, if it is also the one of this name, where one is given.

        Found by a hash and compared in constant time: how long it takes tells nothing of keys.
        """
        lease = self._by_digest.get(_digest(key))
        if lease is None or not hmac.compare_digest(lease.key.encode(), key.encode()):
            return None
        return lease if name is None or name == lease.name else None


def _digest(key: str) -> bytes:
    return hashlib.sha256(key.encode("utf-8", "replace")).digest()
