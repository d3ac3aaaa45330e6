"""The two programs. Nothing heavy is imported until a command runs."""

import gc
import sys

from tau.cli.surface import Surface, program
from tau.config.environment import snapshot

_COLLECT = (50_000, 20, 50)
"""The garbage collector's thresholds: neither importing nor running leaves cycles behind."""


def tau_coding_agent() -> None:
    """The contract's flag surface."""
    gc.set_threshold(*_COLLECT)
    from tau.cli.aliases import rewritten, valued
    from tau.cli.flags import command

    arguments, notices = rewritten(sys.argv[1:], valued=valued(command))
    for notice in notices:
        sys.stderr.write(f"{notice}\n")
    sys.exit(program(command, Surface(program="tau-coding-agent", flat=True), arguments))


def tau() -> None:
    """The subcommands."""
    gc.set_threshold(*_COLLECT)
    from tau.cli.commands.group import tau_group

    if "_TAU_COMPLETE" in snapshot():
        from tau.cli.completing import register

        register()
    sys.exit(program(tau_group, Surface(program="tau"), sys.argv[1:]))
