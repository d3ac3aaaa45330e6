"""Every error Tau raises on purpose, as one tree.

::

    TauError
    ├── InputError                 what a person gave cannot be used
    │   ├── UsageError             wrong flags or arguments
    │   ├── ConfigError            a config or dataset with one or more problems
    │   ├── MissingKey             a provider's key is not set
    │   └── PluginError            a name that stands for no usable class
    ├── StoreError
    │   ├── NotFound               an id nobody knows
    │   ├── Conflict               an id or key that is already taken
    │   ├── LeaseLost              a write by an attempt or worker that no longer owns its work
    │   ├── IllegalTransition      a status change the state machine forbids
    │   ├── RunActive              the run is being driven by another live process
    │   ├── StoreUnavailable       cannot be opened, locked for too long, or gone
    │   ├── StoreDamaged           not a database, or failing its own checks
    │   ├── StoreVersion           written by a newer Tau, or not migrated
    │   └── StoreFull              no space, or an I/O error while writing
    ├── RunError                   a run could not go on
    │   ├── NothingScored          rows were tried and none has a score
    │   ├── RunStopped             stopped before its end on purpose; can go on
    │   └── TrainerTimeout         no progress, or not finished, within its limit
    ├── ClusterError               workers could not be placed on a cluster
    ├── FileError                  a file beside the store cannot be read or written
    ├── ControlError               a lifecycle command could not be carried out
    │   ├── AccessDenied           the policy does not allow the principal to do it
    │   ├── PolicyInvalid          the RBAC policy is malformed
    │   └── RecoveryRefused        a crash was found and nothing restorable
    └── AttemptError               work inside an attempt failed; `code` names the failure class
        ├── ExampleInvalid         the example cannot be executed
        ├── ExecutorFailed         the code under test failed
        ├── RetryLater             the code under test asks to be tried again
        ├── TimeLimitExceeded      the rollout's own time limit
        ├── BudgetRefused          a call beyond what the attempt had reserved
        ├── SafetyRejected         a hard gate in reject mode
        ├── GraderFailed           a grader failed; the row stays unscored
        └── ModelError
            ├── RateLimited
            ├── QuotaExhausted
            ├── Overloaded
            ├── ServerFailed
            ├── ModelTimeout
            ├── ConnectionFailed
            │   └── NotConnected       the provider was never asked
            ├── AuthenticationFailed
            ├── ModelNotFound
            ├── RequestRejected
            ├── ContextTooLong
            ├── AnswerIncomplete
            ├── ContentFiltered
            └── MalformedResponse

`boundary()` turns what plug-in code raises into the type of the boundary it crossed.
"""

from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from types import TracebackType
from typing import ClassVar


class TauError(Exception):
    """Base of every error Tau raises on purpose.

    `what` is one line. `where` names a file, pointer or address, `why` the cause, `fix` the next
    step for a person; each is optional and never holds a key or a prompt.
    """

    def __init__(
        self,
        what: str,
        *,
        where: str | None = None,
        why: str | None = None,
        fix: str | None = None,
    ) -> None:
        """Keep the parts apart, so that every surface can lay them out its own way."""
        super().__init__(what)
        self.what = what
        self.where = where
        self.why = why
        self.fix = fix

    @property
    def summary(self) -> str:
        """`what (where): why`, for places that show the fix apart."""
        text = self.what
        if self.where:
            text += f" ({self.where})"
        if self.why:
            text += f": {self.why}"
        return text

    def __str__(self) -> str:
        """Everything: `what (where): why; fix`."""
        return f"{self.summary}; {self.fix}" if self.fix else self.summary


class InputError(TauError):
    """What a person gave cannot be used; nothing was changed."""


class UsageError(InputError):
    """Flags or arguments do not fit together."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ConfigIssue:
    """One mistake in a config or dataset: `file`, JSON `pointer` ("" = root), 1-based `line`."""

    message: str
    file: str
    pointer: str = ""
    line: int | None = None
    fix: str | None = None
    warning: bool = False

    def __str__(self) -> str:
        """`file:line pointer: message (fix)` with the known parts."""
        place = self.file if self.line is None else f"{self.file}:{self.line}"
        if self.pointer:
            place += f" {self.pointer}"
        return f"{place}: {self.message}" + (f" ({self.fix})" if self.fix else "")


class ConfigError(InputError):
    """A config or dataset cannot be used; `problems` lists every mistake found, in file order."""

    def __init__(
        self, what: str, *, problems: Sequence[ConfigIssue] = (), fix: str | None = None
    ) -> None:
        """`what` is the essence; with one problem it may be that problem's own text."""
        super().__init__(what, fix=fix)
        self.problems = tuple(problems)

    def __str__(self) -> str:
        """The essence, then every mistake on a line of its own."""
        found = [str(one) for one in self.problems if not one.warning]
        return super().__str__() if len(found) < 2 else "\n".join((self.summary, *found))


class MissingKey(InputError):
    """A provider's key is not set; names the variable, never a value."""


class PluginError(InputError):
    """A name stands for no plug-in, or for one that cannot be loaded."""


class StoreError(TauError):
    """The store refused or could not do something."""


class NotFound(StoreError):
    """An id nobody knows."""


class Conflict(StoreError):
    """An id or key is already taken by something else."""


class LeaseLost(StoreError):
    """The attempt or worker no longer owns what it tried to write; nothing of it was accepted."""


class IllegalTransition(StoreError):
    """The state machine of domain/transitions forbids this change."""


class RunActive(StoreError):
    """The run is being driven by another live process."""


class StoreUnavailable(StoreError):
    """The store cannot be opened, stayed locked for too long, or is gone."""


class StoreDamaged(StoreError):
    """The file is not a Tau store, or fails its own checks."""


class StoreVersion(StoreError):
    """The store was written by a newer Tau, or needs a migration first."""


class StoreFull(StoreError):
    """A write failed for lack of space or by an I/O error; acknowledged work is safe."""


class RunError(TauError):
    """A run could not go on."""


class RunStopped(RunError):
    """The run stopped before its end on purpose (signal, operator, budget); it can go on."""


class NothingScored(RunError):
    """Rows were tried and none has a score: nothing is measured, nothing decided.

    From `tau.evaluate` and `tau.optimize`, `result` is what they would have returned: its `errors`
    and `traceback` tell what went wrong row by row.
    """

    result: object = None


class TrainerTimeout(RunError):
    """No progress, or not finished, within its limit."""


class ClusterError(TauError):
    """Workers could not be placed on a cluster."""


class FileError(TauError):
    """A file beside the store cannot be read or written."""


class ControlError(TauError):
    """A lifecycle command could not be carried out."""


class AccessDenied(ControlError):
    """The policy does not allow the principal to do this; `reason_code` says why."""

    def __init__(
        self, what: str, *, reason_code: str, why: str | None = None, fix: str | None = None
    ) -> None:
        """`reason_code` is one of the contract's deny codes."""
        super().__init__(what, why=why, fix=fix)
        self.reason_code = reason_code


class PolicyInvalid(ControlError):
    """The RBAC policy is malformed; it is refused, never ignored."""


class RecoveryRefused(ControlError):
    """A crash was found and no checkpoint could be restored; nothing was changed."""


class AttemptError(TauError):
    """Work inside an attempt failed; the failure is recorded as data and the worker goes on.

    `code` is a value of `domain.failure.FailureClass`. `retry_after_s` is what the other side asked
    for, in seconds from now. `detail` is a bounded, secret-free excerpt for people.
    """

    code: ClassVar[str] = "internal"

    def __init__(
        self,
        what: str,
        *,
        where: str | None = None,
        why: str | None = None,
        fix: str | None = None,
        retry_after_s: float | None = None,
        status: int | None = None,
    ) -> None:
        """`status` is an HTTP status or a process exit code where there was one."""
        super().__init__(what, where=where, why=why, fix=fix)
        self.retry_after_s = retry_after_s
        self.status = status


class ExampleInvalid(AttemptError):
    """The example cannot be executed (no prompt, a placeholder it cannot fill)."""

    code = "example"


class ExecutorFailed(AttemptError):
    """The code under test raised, exited badly or answered with the wrong shape."""

    code = "executor"


class RetryLater(AttemptError):
    """Raised by the code under test: not now, try this row again.

    `after_s` seconds from now at the soonest, as often as the run's retries allow.
    """

    code = "overloaded"

    def __init__(self, after_s: float = 0.0, reason: str = "") -> None:
        """`reason` is for people."""
        super().__init__("asked to be tried again later", why=reason or None, retry_after_s=after_s)


class TimeLimitExceeded(AttemptError):
    """The rollout's own time limit passed and its work was stopped."""

    code = "time_limit"


class BudgetRefused(AttemptError):
    """A call beyond what the attempt had reserved; it was not made."""

    code = "budget"


class SafetyRejected(AttemptError):
    """A safety hard gate in reject mode."""

    code = "safety"


class GraderFailed(AttemptError):
    """A grader failed; its row stays unscored."""

    code = "grader"


class ModelError(AttemptError):
    """A model call failed.

    `bill` is what it costs nevertheless, a `domain.spend.Bill` where the provider says so.
    """

    code = "server"
    bill: object = None


class RateLimited(ModelError):
    """Too many requests or tokens for now."""

    code = "rate_limit"


class QuotaExhausted(ModelError):
    """The account has no credit left; waiting does not help."""

    code = "quota"


class Overloaded(ModelError):
    """The provider has no capacity for now (503, 529)."""

    code = "overloaded"


class ServerFailed(ModelError):
    """The provider failed (5xx) or reported an error inside a 200."""

    code = "server"


class ModelTimeout(ModelError):
    """No complete answer within the call's time limit."""

    code = "timeout"


class ConnectionFailed(ModelError):
    """No connection, or it broke before the answer was complete."""

    code = "connection"


class NotConnected(ConnectionFailed):
    """No connection came about, so the provider was never asked and no call is spent."""


class AuthenticationFailed(ModelError):
    """The key was refused or may not use this model."""

    code = "auth"


class ModelNotFound(ModelError):
    """The provider does not know this model."""

    code = "model_not_found"


class RequestRejected(ModelError):
    """The provider refused the request as malformed."""

    code = "request"


class ContextTooLong(RequestRejected):
    """The prompt does not fit into the model's context."""

    code = "context_length"


class AnswerIncomplete(ModelError):
    """The model answered with nothing, or was cut off, and such answers are to fail."""

    code = "answer"


class ContentFiltered(ModelError):
    """The provider's filter refused the prompt or withheld the answer."""

    code = "content_filter"


class MalformedResponse(ModelError):
    """The answer was truncated, not JSON, or not what the protocol promises."""

    code = "malformed"


class _Boundary:
    """See `boundary`; not a generator, because those cost every call and grade too much."""

    __slots__ = ("_kind", "_who")

    def __init__(self, kind: type[AttemptError], who: str) -> None:
        self._kind = kind
        self._who = who

    def __enter__(self) -> None:
        return None

    def __exit__(
        self, _: type[BaseException] | None, error: BaseException | None, __: TracebackType | None
    ) -> None:
        if not isinstance(error, Exception) or isinstance(error, AttemptError):
            return
        reason = str(error).strip().splitlines()
        text = reason[0][:500] if reason else ""
        why = f"{type(error).__name__}: {text}" if text else type(error).__name__
        raise self._kind(f"{self._who} failed", why=why) from error


def boundary(kind: type[AttemptError], who: str) -> AbstractContextManager[None]:
    """Let attempt errors pass and turn anything else that `who` raises into `kind`.

    Cancellation, KeyboardInterrupt and SystemExit pass untouched. Plug-in code is trusted to run
    here, not to raise well.
    """
    return _Boundary(kind, who)
