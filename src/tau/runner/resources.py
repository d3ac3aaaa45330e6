"""Resources as claims pin them: read once, kept while they are in use."""

import asyncio
from collections import OrderedDict

from tau.domain.ids import ResourcesHash
from tau.domain.resources import Resources
from tau.ports.store import Work

_KEPT = 64


class ResourcesCache:
    """The most recently used resources by hash; they never change, so nothing goes stale."""

    def __init__(self, work: Work) -> None:
        self._work = work
        self._kept: OrderedDict[ResourcesHash, Resources] = OrderedDict()
        self._reading = asyncio.Lock()

    async def get(self, pinned: ResourcesHash) -> Resources:
        """The resources; StoreError as the store raises."""
        found = self._kept.get(pinned)
        if found is None:
            async with self._reading:  # a wave's claims ask for the same ones at once
                found = self._kept.get(pinned)
                if found is None:
                    found = self._kept[pinned] = await self._work.resources(pinned)
        self._kept.move_to_end(pinned)
        while len(self._kept) > _KEPT:
            self._kept.popitem(last=False)
        return found
