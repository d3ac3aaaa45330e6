"""What an attempt has paid for when only a model that grades its answer failed."""

from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass, field

from tau.domain.ids import RolloutId
from tau.domain.reward import Reward
from tau.domain.rollout import Output

_MOST = 4_096


@dataclass(frozen=True, slots=True, kw_only=True)
class PaidWork:
    """The answer, what graders have said of it, and the reason codes reported meanwhile."""

    attempt: int
    output: Output
    rewards: Mapping[str, Reward] = field(default_factory=dict)
    reason_codes: tuple[str, ...] = ()
    blocked_events: int = 0


class PaidWorkCache:
    """By rollout, in the memory of one process: elsewhere, and after a crash, it is done again."""

    def __init__(self) -> None:
        self._kept: OrderedDict[RolloutId, PaidWork] = OrderedDict()

    def keep(self, rollout: RolloutId, work: PaidWork) -> None:
        """For the next attempt; of very many the oldest is forgotten."""
        self._kept[rollout] = work
        if len(self._kept) > _MOST:
            self._kept.popitem(last=False)

    def take(self, rollout: RolloutId) -> PaidWork | None:
        """What an earlier attempt left, once."""
        return self._kept.pop(rollout, None)
