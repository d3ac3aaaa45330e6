"""Storing what is known by its content: resources and examples."""

from collections.abc import Iterable
from itertools import count

from tau.domain.dataset import Example
from tau.domain.json import canonical
from tau.domain.resources import Resources
from tau.errors import Conflict
from tau.stores import codec, rows
from tau.stores.sqlite.transaction import SqliteTransaction


def store_resources(transaction: SqliteTransaction, resources: Resources) -> int:
    """Keep `resources` and return their key."""
    found = transaction.value("resources_key", (resources.hash,))
    if found is None:
        content = canonical(dict(resources.values)).decode()
        digest = codec.digest(resources.hash, resources.parent, content)
        transaction.run("insert_resources", (resources.hash, resources.parent, content, digest))
        found = transaction.value("resources_key", (resources.hash,))
    return int(found)


def store_examples(transaction: SqliteTransaction, examples: Iterable[Example]) -> dict[str, int]:
    """Keep `examples` and return their keys by id; Conflict where an id means something else."""
    asked = {}
    for example in examples:
        if example.id not in asked:
            content = canonical(example.value).decode()
            digest = rows.example_digest(example.id, example.split, content)
            asked[example.id] = (example.id, example.split, content, digest)
    keys = {}
    for identity, key, digest in transaction.tuples("example_keys", (codec.text(list(asked)),)):
        if asked.pop(identity)[3] != digest:
            raise Conflict(f"example id '{identity}' stands for another example in this store")
        keys[identity] = key
    if asked:
        new = dict(zip(asked, count(1 + (transaction.value("last_example") or 0)), strict=False))
        values = [value for i, row in asked.items() for value in (new[i], *row)]
        transaction.many("insert_example", values, 5)
        keys |= new
    return keys
