"""Text from the other side, made fit for an error message: no key, no control, bounded."""

import base64
import re
import unicodedata
from collections.abc import Sequence
from urllib.parse import quote

EXCERPT = 300
_SCANNED = 65_536
_KEY_LIKE = re.compile(
    r"\b(?:sk|pk|rk|gsk|xai|fw|tgp|hf|AIza|key|Bearer)[-_ ][\w*.\-]{8,}|AIza[\w-]{20,}"
)


class Redactor:
    """Makes excerpts that hold none of `secrets`, nor anything that looks like a key."""

    def __init__(self, secrets: Sequence[str]) -> None:
        """`secrets` are also found URL-quoted and in base64."""
        forms = set()
        for secret in secrets:
            if secret:
                forms |= {
                    secret,
                    quote(secret, safe=""),
                    base64.b64encode(secret.encode()).decode(),
                }
        self._forms = sorted(forms, key=len, reverse=True)

    def __repr__(self) -> str:
        return "Redactor()"

    def excerpt(self, text: str, limit: int = EXCERPT) -> str:
        """One line of at most `limit` characters."""
        cut = text[:_SCANNED]
        # Removing rather than blanking: a key interrupted by a control must not slip through.
        plain = " ".join("".join(c for c in cut if c.isspace() or _visible(c)).split())
        for form in self._forms:
            plain = plain.replace(form, "[key]")
        if len(text) > _SCANNED and self._forms:
            plain = plain[: -len(self._forms[0])]  # the cut may have halved one
        plain = _KEY_LIKE.sub("[key]", plain)
        return plain if len(plain) <= limit else plain[: limit - 1] + "…"


def _visible(character: str) -> bool:
    """Whether it is neither a control nor an invisible format character (bidi, zero width)."""
    return (character.isascii() and character.isprintable()) or (
        not character.isascii() and unicodedata.category(character)[0] != "C"
    )
