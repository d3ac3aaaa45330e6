"""What the reflection model would be asked next."""

import asyncio
from collections.abc import Iterator
from pathlib import Path

from tau.cli.records.reading import print_json, print_lines
from tau.cli.running import RunArguments, loaded, placed
from tau.cli.surface import Exit, warn
from tau.cli.text import columns, line, shown, wrapped
from tau.errors import RunError
from tau.wiring.next_proposal import NextProposal, next_proposal
from tau.wiring.stores import scheme_of


def show_proposal(arguments: RunArguments) -> int:
    """Print the next request to the reflection model; nothing is sent or written.

    Raises:
        InputError: the configuration cannot be carried out.
        RunError: there is no next request.
    """
    settings = loaded(arguments)
    arguments = placed(arguments, settings)
    if not arguments.json:
        warn(settings.warnings)
    store = arguments.location
    there = scheme_of(store) != "sqlite" or Path(store).exists()
    with asyncio.Runner() as runner:
        found = runner.run(next_proposal(settings, store=store if there else None))
    if found is None:
        raise RunError(
            "there is no next request to the reflection model",
            why=f"the algorithm '{settings.algorithm.type}' asks for no proposal from here",
            fix="see what it does with: tau plan CFG",
        )
    if arguments.json:
        print_json(
            {
                "run_id": found.run,
                "model_ref": found.model_ref,
                "stand_ins": found.stand_ins,
                "messages": [dict(one) for one in found.messages],
            }
        )
    else:
        print_lines(list(_lines(found)))
    return Exit.OK


def _lines(found: NextProposal) -> Iterator[str]:
    model = line(found.model_ref or "the reflection model")
    where = "a run that is not begun yet" if found.run is None else f"run {line(found.run)}"
    yield from wrapped(f"The next request to {model}, for {where}. Nothing was sent.", columns())
    if found.stand_ins:
        yield from wrapped(
            "Some of its examples are yet to be evaluated: they are shown as if they had failed.",
            columns(),
        )
    for message in found.messages:
        yield ""
        yield f"--- {line(message['role'])}"
        yield shown(message["content"])
