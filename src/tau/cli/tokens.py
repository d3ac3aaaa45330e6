"""Tokens for the gateway."""

import sys
from pathlib import Path

from tau.cli.records.reading import print_lines
from tau.cli.surface import Exit
from tau.cli.text import line


def make_token(principal: str, path: str) -> int:
    """Make a token; it is printed and kept nowhere.

    Raises:
        UsageError: no name, or a malformed file.
        FileError: the file cannot be written.
    """
    from tau.gateway.tokens import add_token

    print_lines([add_token(Path(path), principal)])
    sys.stderr.write(
        f"the token of {line(principal.strip())}, shown only here; serve with: "
        f"tau serve --tokens {line(path)}\n"
    )
    return Exit.OK
