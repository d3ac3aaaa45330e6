"""The one synchronous edge: an event loop for a run, and what signals do to it."""

import asyncio
import contextlib
import gc
import signal
from collections.abc import Iterator

from tau.cli import figures
from tau.cli.displays import Display
from tau.domain.run import StopReason
from tau.errors import RunStopped
from tau.trainer.report import RunReport
from tau.trainer.stop import StopRequest
from tau.wiring.session import SessionRequest, run_session

_SIGNALS = (signal.SIGINT, signal.SIGTERM)


class Interrupts:
    """The first signal lets calls in flight finish, the second does not wait, the third kills."""

    def __init__(self, stop: StopRequest, display: Display, *, resume: str) -> None:
        self._stop = stop
        self._display = display
        self._resume = resume
        self.first: int | None = None
        self._again = False

    @contextlib.contextmanager
    def handled(self) -> Iterator[None]:
        """Handle signals in the running loop; what handled them before does so again after."""
        loop = asyncio.get_running_loop()
        before = {number: signal.getsignal(number) for number in _SIGNALS}
        for number in _SIGNALS:
            loop.add_signal_handler(number, self._arrived, number)
        try:
            yield
        finally:
            for number, handler in before.items():
                loop.remove_signal_handler(number)
                signal.signal(number, handler)

    def _arrived(self, number: int) -> None:
        if self.first is None:
            self.first = number
            self._stop.set(StopReason.SIGNAL, signal.Signals(number).name)
            self._display.notice(self._finishing())
            self._display.notice(f"to go on later: {self._resume}")
        elif not self._again:
            self._again = True
            self._stop.now()
            self._display.notice("stopping now: what is in flight is done again when it goes on")
        else:
            signal.signal(number, signal.SIG_DFL)
            signal.raise_signal(number)

    def _finishing(self) -> str:
        latest = self._display.latest
        in_flight = latest.counts.in_flight if latest else 0
        calls = (
            f"{figures.count(in_flight, 'rollout')} in flight" if in_flight else "what is running"
        )
        return f"stopping: {calls} will finish and be recorded; the same signal again stops at once"


def drive(
    request: SessionRequest, display: Display, *, resume: str
) -> tuple[RunReport | None, int | None]:
    """Drive a run to its end or to a stop, with the number of the signal that asked for it.

    The report is None where a signal came before there was anything to report.
    """
    with _uncollected(), asyncio.Runner() as runner:
        return runner.run(_driven(request, display, resume))


@contextlib.contextmanager
def _uncollected() -> Iterator[None]:
    """Spare the collector what stays to the end; it would take a fifth of the run's CPU."""
    gc.freeze()
    try:
        yield
    finally:
        gc.unfreeze()


async def _driven(
    request: SessionRequest, display: Display, resume: str
) -> tuple[RunReport | None, int | None]:
    stop = StopRequest()
    interrupts = Interrupts(stop, display, resume=resume)
    with interrupts.handled():
        try:
            report = await run_session(request, observer=display, stop=stop)
        except RunStopped:
            if interrupts.first is None:
                raise
            return None, interrupts.first
    asked = interrupts.first if report.stop_reason is StopReason.SIGNAL else None
    return report, asked
