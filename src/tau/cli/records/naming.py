"""What people call runs and resources, and what that stands for in a store."""

from tau.domain.ids import RunId, version_number
from tau.domain.resources import Resources, ResourcesVersion
from tau.errors import Conflict, InputError, NotFound
from tau.ports.store import Store
from tau.reports.account import gather
from tau.wiring.naming import run_named, runs_named


async def newest_run(store: Store, name: str | None) -> RunId:
    """The run of this name, the newest where none is named; NotFound, Conflict."""
    if name is not None:
        return await run_named(store, name)
    runs = await store.insights.runs(limit=1)
    if not runs:
        raise NotFound("there is no run in this store", fix="start one with: tau optimize CFG")
    return runs[0].id


async def resolve(store: Store, name: str) -> Resources:
    """Resources by version, `@alias`, `latest`, run (what it recommends) or digits of their hash.

    Raises:
        NotFound: it is none of these.
        Conflict: it can be several.
    """
    run, found = await run_or_resources(store, name)
    if run is not None:
        return (await gather(store, run)).best
    assert found is not None
    return found


async def run_or_resources(store: Store, name: str) -> tuple[RunId | None, Resources | None]:
    """Which run or which resources `name` stands for: one of both.

    Raises:
        NotFound: it is neither.
        Conflict: it can be several.
    """
    number = version_number(name)
    if number is not None:
        return None, (await store.resources.version(number)).resources
    if name.startswith("@"):
        return None, (await version_of(store, name.removeprefix("@"))).resources
    if name == "latest":
        return None, (await version_of(store, name)).resources
    runs = await runs_named(store, name)
    try:
        found = await store.insights.resources(name)
    except NotFound:
        if not runs:
            raise NotFound(
                f"there is neither a run nor resources '{name:.80}'",
                fix="list them with: tau runs, tau candidates ls, tau resources ls",
            ) from None
        return await run_named(store, name), None
    if runs and runs[0].id != name:
        raise Conflict(
            f"'{name}' can be run {runs[0].id} and resources {found.hash[:16]}",
            fix="give more of the one that is meant",
        )
    return (runs[0].id, None) if runs else (None, found)


async def version_of(store: Store, name: str) -> ResourcesVersion:
    """A publication by `latest`, `resources-<n>` or alias; NotFound."""
    number = version_number(name)
    if number is not None:
        return await store.resources.version(number)
    if name != "latest":
        return (await store.aliases.find(name)).version
    found = await store.resources.latest()
    if found is None:
        raise NotFound("nothing has been published in this store")
    return found


def prompt_name(text: str) -> tuple[str, str]:
    """`NAME@VERSION` as its parts; the version is empty without `@`.

    Raises:
        InputError: no name.
    """
    name, _, version = text.partition("@")
    if not name:
        raise InputError(
            f"'{text}' names no prompt", fix="write NAME@ALIAS, such as system_prompt@prod"
        )
    return name, version


async def chosen_version(store: Store, name: str, version: str) -> ResourcesVersion:
    """The publication of a prompt that is named by an alias; without one, that of the only alias.

    The latest publication may be one that nobody has proved: it is taken only by name.

    Raises:
        InputError: none is named, and there is not exactly one alias.
        NotFound: there is no such publication.
    """
    if version:
        return await version_of(store, version)
    known = await store.aliases.current()
    if len(known) == 1:
        return known[0].version
    listed = ", ".join(f"{name}@{one.name}" for one in known)
    raise InputError(
        f"'{name}' does not say which version is wanted",
        why="several aliases point at prompts" if known else "no alias points at a prompt yet",
        fix=f"write one of: {listed}"
        if known
        else f"promote one (tau promote), or write "
        f"{name}@resources-<n> or {name}@latest, which may be unproved",
    )
