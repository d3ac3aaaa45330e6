"""Storing what is known by its content: resources and examples."""

from collections.abc import Iterable

from tau.domain.dataset import Example
from tau.domain.json import canonical
from tau.domain.resources import Resources
from tau.errors import Conflict
from tau.stores import codec, rows
from tau.stores.postgres.transaction import PostgresTransaction


async def store_resources(
    transaction: PostgresTransaction, resources: Iterable[Resources]
) -> dict[str, int]:
    """Keep `resources` and return their keys by hash."""
    asked = {one.hash: one for one in resources}
    known = await _known(transaction, asked)
    new = [_resources_row(one) for digest, one in asked.items() if digest not in known]
    if new:
        await transaction.tuples("insert_resources", *map(list, zip(*new, strict=True)))
        known = await _known(transaction, asked)
    return known


async def store_examples(
    transaction: PostgresTransaction, examples: Iterable[Example]
) -> dict[str, int]:
    """Keep `examples` and return their keys by id; Conflict where an id means something else."""
    asked: dict[str, tuple[str, str, str, bytes]] = {}
    for example in examples:
        if example.id not in asked:
            content = canonical(example.value).decode()
            digest = rows.example_digest(example.id, example.split, content)
            asked[example.id] = (example.id, example.split, content, digest)
    ids = list(asked)
    known = await transaction.tuples("example_keys", ids)
    if len(known) < len(asked):
        have = {row["id"] for row in known}
        new = [row for identity, row in asked.items() if identity not in have]
        await transaction.tuples("insert_examples", *map(list, zip(*new, strict=True)))
        known = await transaction.tuples("example_keys", ids)
    for row in known:
        if asked[row["id"]][3] != row["digest"]:
            raise Conflict(f"example id '{row['id']}' stands for another example in this store")
    return {row["id"]: row["key"] for row in known}


async def _known(transaction: PostgresTransaction, asked: Iterable[str]) -> dict[str, int]:
    found = await transaction.tuples("resources_keys", list(asked))
    return {row["hash"]: row["key"] for row in found}


def _resources_row(resources: Resources) -> tuple[str, str | None, str, bytes]:
    content = canonical(dict(resources.values)).decode()
    digest = codec.digest(resources.hash, resources.parent, content)
    return resources.hash, resources.parent, content, digest
