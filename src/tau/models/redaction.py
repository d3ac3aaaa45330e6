"""Text from the other side, made fit for an error message: no key, no control, bounded."""

import base64
import re
import unicodedata
from collections.abc import Mapping, Sequence
from urllib.parse import quote

EXCERPT = 300
MASK = "[key]"
_SCANNED = 65_536
_KEY_LIKE = re.compile(
    r"\b(?:sk|pk|rk|gsk|xai|fw|tgp|hf|AIza|key|Bearer)[-_ ][\w*.\-]{8,}|AIza[\w-]{20,}"
)


_CREDENTIAL = re.compile(
    r"(?:key|token|secret|passw|credential|signature|session|cookie|auth(?!or(?!iz)))"
    r"|(?:^|[-_])(?:code|pwd|sig|sas|jwt|bearer)$",
    re.I,
)
_LEAST_SECRET = 16
"""Characters of a key worth looking for in answers: `lm-studio` is none, but a word."""


def is_credential(name: str, value: str) -> bool:
    """Whether a header carries a credential, by its name or the look of its value."""
    return bool(_CREDENTIAL.search(name) or _KEY_LIKE.search(value))


def masked_headers(headers: Mapping[str, str]) -> dict[str, str]:
    """`headers` as they may be stored."""
    return {name: MASK if is_credential(name, value) else value for name, value in headers.items()}


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

    def masked(self, text: str) -> str:
        """`text` without the secrets, at any length; short ones are left, as words may be them."""
        for form in self._forms:
            if len(form) >= _LEAST_SECRET:
                text = text.replace(form, MASK)
        return text

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
