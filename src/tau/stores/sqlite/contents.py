"""Storing what is known by its content: resources and examples."""

from collections.abc import Iterable

from tau.domain.dataset import Example
from tau.domain.json import canonical
from tau.domain.resources import Resources
from tau.errors import Conflict
from tau.stores import codec, rows
from tau.stores.sqlite.transaction import Transaction


def store_resources(transaction: Transaction, resources: Resources) -> int:
    """Keep `resources` and return their key."""
    found = transaction.value("resources_key", (resources.hash,))
    if found is None:
        content = canonical(dict(resources.values)).decode()
        digest = codec.digest(resources.hash, resources.parent, content)
        transaction.run("insert_resources", (resources.hash, resources.parent, content, digest))
        found = transaction.value("resources_key", (resources.hash,))
    return int(found)


def store_examples(transaction: Transaction, examples: Iterable[Example]) -> dict[str, int]:
    """Keep `examples` and return their keys by id; Conflict where an id means something else."""
    asked = {}
    for example in examples:
        if example.id not in asked:
            content = canonical(example.value).decode()
            digest = rows.example_digest(example.id, example.split, content)
            asked[example.id] = (example.id, example.split, content, digest)
    ids = codec.text(list(asked))
    known = transaction.tuples("example_keys", (ids,))
    if len(known) < len(asked):
        have = {identity for identity, _, _ in known}
        transaction.many("insert_example", [row for i, row in asked.items() if i not in have])
        known = transaction.tuples("example_keys", (ids,))
    for identity, _, digest in known:
        if asked[identity][3] != digest:
            raise Conflict(f"example id '{identity}' stands for another example in this store")
    return {identity: key for identity, key, _ in known}
