"""Where a store is: a connection URL, taken apart so that its password is never shown."""

import re
from dataclasses import dataclass, field
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

from tau.errors import InputError
from tau.stores.location import shown

DEFAULT_SCHEMA = "tau"
_SCHEMA = re.compile(r"[a-z_][a-z0-9_]{0,62}\Z")


@dataclass(frozen=True, slots=True, kw_only=True)
class Address:
    """`url` is for the driver and may hold a password; `shown` is for people and holds none."""

    url: str = field(repr=False)
    schema: str
    shown: str


def parse(location: str) -> Address:
    """Take `postgresql://[user[:password]@][host][:port][/database][?schema=NAME&...]` apart.

    What the URL leaves out comes from the usual PG* variables, ~/.pgpass and defaults.

    Raises:
        InputError: no such URL; its text is not repeated, as it may hold a password.
    """
    try:
        parts = urlsplit(location)
        options = parse_qsl(parts.query, keep_blank_values=True, strict_parsing=bool(parts.query))
    except ValueError:
        raise _refused("it is not a URL") from None
    if parts.scheme not in ("postgresql", "postgres"):
        raise _refused("it does not begin with postgresql://")
    schema = next((value for name, value in options if name == "schema"), DEFAULT_SCHEMA)
    if not _SCHEMA.match(schema) or schema.startswith("pg_"):
        raise _refused("a schema is named with lower-case letters, digits and underscores")
    others = [(name, value) for name, value in options if name != "schema"]
    url = urlunsplit(parts._replace(query=urlencode(others), fragment=""))
    return Address(url=url, schema=schema, shown=shown(location))


def _refused(why: str) -> InputError:
    return InputError(
        "the store's URL cannot be used",
        why=why,
        fix="write postgresql://user@host/database, with ?schema=NAME for another schema than tau",
    )
