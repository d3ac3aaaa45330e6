"""The command for the first minute."""

import click

from tau.cli.commands.running import json_option, verbose_option
from tau.cli.surface import Surface, debug_option


@click.command("demo", short_help="Watch a whole optimization: simulated, offline, in seconds.")
@click.argument("folder", required=False, metavar="[FOLDER]", type=click.Path(file_okay=False))
@click.option("--judge", is_flag=True, help="Let a simulated judge score, one that errs.")
@json_option
@verbose_option
@debug_option
@click.pass_obj
def demo(
    surface: Surface, /, *, folder: str | None, judge: bool, as_json: bool, verbose: bool
) -> int:
    """Optimize a prompt against the simulated model: baseline, search, certification, decision.

    No key and no network are needed. The configuration, its rows and the store are written into
    FOLDER, a new temporary one by default, to look at and to play with. With --judge the scores
    are verdicts of a judge that likes long answers and errs at times; labels to test it with are
    written too.
    """
    from tau.cli.demonstration import demonstrate

    return demonstrate(surface, folder=folder, judge=judge, as_json=as_json, verbose=verbose)
