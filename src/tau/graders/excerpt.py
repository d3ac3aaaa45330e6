"""Model-made text in reasons and feedback: short, one line, harmless on a terminal."""

_LIMIT = 240
_ELLIPSIS = " ... "


def excerpt(text: str, limit: int = _LIMIT) -> str:
    """At most `limit` characters of `text` in quotes; of a longer one its start and, mostly, end.

    White space becomes single blanks; control and direction characters and lone surrogates are
    replaced, so that the result can be stored, shown and sent.
    """
    if len(text) <= limit:
        return f'"{_harmless(text)}"'
    start = limit // 3
    end = limit - start - len(_ELLIPSIS)
    return f'"{_harmless(text[:start])}{_ELLIPSIS}{_harmless(text[-end:])}"'


def _harmless(text: str) -> str:
    return " ".join(
        "".join(c if c.isprintable() or c.isspace() else "\ufffd" for c in text).split()
    )
