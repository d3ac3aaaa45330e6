"""Where the look for rollouts that were never tried begins, so that it does not pass what is done.

What was taken leaves dead entries at the low end of an index until vacuum comes by. A mark is no
more than a hint: it may hide a rollout for a few looks (of a claim that was undone, of a submission
that was overtaken), so after a look that found too little, and every 64th time, all is forgotten.
"""

_LOOKS = 64


class Marks:
    """Of each run the lowest untried rollout that was found last."""

    def __init__(self) -> None:
        """Begin without any."""
        self._lows: dict[int, int] = {}
        self._looks = 0

    def __bool__(self) -> bool:
        """Whether there are any."""
        return bool(self._lows)

    def low(self, run: int) -> int:
        """Where to begin in `run`."""
        return self._lows.get(run, 0)

    def look(self) -> tuple[list[int], list[int]]:
        """Runs and where to begin in each, for one more look."""
        self._looks += 1
        if self._looks % _LOOKS == 0:
            self.forget()
        return list(self._lows), list(self._lows.values())

    def found(self, run: int, rollout: int) -> None:
        """`rollout` is the lowest untried one that was seen."""
        self._lows[run] = rollout

    def forget(self) -> None:
        """Begin at the start."""
        self._lows.clear()
