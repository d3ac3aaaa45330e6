"""What can be cancelled without being watched."""


def cancellable(worker: object) -> bool:
    """Whether `worker` says so by an attribute `cancellable`: cancelling it ends it at once.

    Only what runs nothing of others can say so. Where no time limit is set either, it is spared a
    task of its own.
    """
    return getattr(worker, "cancellable", False) is True
