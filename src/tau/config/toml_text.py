"""TOML, with its lines looked up as well as a table's layout allows."""

import re
import tomllib
from collections.abc import Collection, Mapping

from tau.config.report import JsonPath, ParsedText, ParseError
from tau.config.values import TOO_DEEP, issues

_PLACE = re.compile(r"\(at line (\d+), column (\d+)\)\Z")
_HEADER = re.compile(r"\s*(\[\[?)\s*([^\[\]]+?)\s*\]\]?\s*(#.*)?\Z")
_KEY = re.compile(r"""\s*((?:[\w-]+|"[^"]*"|'[^']*')(?:\s*\.\s*(?:[\w-]+|"[^"]*"|'[^']*'))*)\s*=""")
_PART = re.compile(r"""[\w-]+|"[^"]*"|'[^']*'""")


def parse(text: str) -> ParsedText:
    """The document in `text`.

    Raises:
        Unusable: it is not TOML.
    """
    try:
        value = tomllib.loads(text.replace("\r\n", "\n"))
    except tomllib.TOMLDecodeError as error:
        place = _PLACE.search(str(error))
        reason = _PLACE.sub("", str(error)).strip()
        line = int(place[1]) if place else text.count("\n") + 1
        raise ParseError(f"not TOML: {reason[:1].lower()}{reason[1:]}", line=line) from None
    except RecursionError:
        raise ParseError(TOO_DEEP) from None
    except ValueError:  # an integer of thousands of digits
        raise ParseError("not TOML: a whole number beyond 64 bits") from None
    return ParsedText(
        value=value, issues=tuple(issues(value)), locate=lambda wanted: _lines(text, wanted)
    )


def _lines(text: str, wanted: Collection[JsonPath]) -> Mapping[JsonPath, int]:
    """Lines of tables and of keys at the start of a line; values inside a value have its line."""
    known: dict[JsonPath, int] = {(): 1}
    table: JsonPath = ()
    counts: dict[JsonPath, int] = {}
    for number, line in enumerate(text.splitlines(), start=1):
        header = _HEADER.match(line)
        key = None if header else _KEY.match(line)
        if header:
            table = _resolved(_parts(header[2]), counts)
            if header[1] == "[[":
                counts[table] = counts.get(table, -1) + 1
                known.setdefault(table, number)
                table = (*table, counts[table])
            known.setdefault(table, number)
        elif key:
            known.setdefault((*table, *_parts(key[1])), number)
    return {steps: known[steps] for steps in wanted if steps in known}


def _parts(name: str) -> tuple[str, ...]:
    return tuple(part.strip("\"'") for part in _PART.findall(name))


def _resolved(names: JsonPath, counts: Mapping[JsonPath, int]) -> JsonPath:
    """`names` with the index of the current item after each list of tables but the last."""
    steps: JsonPath = ()
    for position, name in enumerate(names):
        steps = (*steps, name)
        if steps in counts and position < len(names) - 1:
            steps = (*steps, counts[steps])
    return steps
