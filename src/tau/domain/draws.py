"""Random numbers as hashes of what they are for, so that there is no generator state to lose."""

import hashlib

_SCALE = 2.0**-53


def uniform(seed: int, purpose: str, *counters: int | str) -> float:
    """A number in [0, 1) fixed by its arguments alone (53 bits of SHA-256)."""
    text = "\x1f".join([str(seed), purpose, *(str(counter) for counter in counters)])
    digest = hashlib.sha256(text.encode()).digest()
    return (int.from_bytes(digest[:8], "big") >> 11) * _SCALE


def below(limit: int, seed: int, purpose: str, *counters: int | str) -> int:
    """An integer in [0, limit) fixed by its arguments alone; `limit` must be positive."""
    if limit <= 0:
        raise ValueError(f"limit must be positive, got {limit}")
    return int(uniform(seed, purpose, *counters) * limit)


def stream(size: int, seed: int, purpose: str, *counters: int | str) -> bytes:
    """`size` random bytes fixed by the other arguments alone (SHAKE-128)."""
    text = "\x1f".join([str(seed), purpose, *(str(counter) for counter in counters)])
    return hashlib.shake_128(text.encode()).digest(size)
