"""Answers without fences: taken where they are plainly the whole prompt and nothing else."""

import re

from tau.algorithms.prompts import PromptParseError, PromptTarget
from tau.domain.placeholders import placeholders

UNFENCED = "it stood between no fences, and was taken as a whole"
_NO_FENCES = "there is no text between fences, and as a whole"
_OPENER = re.compile(
    r"\W*(?:sure|certainly|of course|okay|ok|absolutely|great|thanks?|thank you|understood|got it"
    r"|here(?:'s|\u2019s| is| are)|below|based on|after (?:review|analy)|looking at|to improve"
    r"|let(?:'s|\u2019s| me| us)|i(?:'m|\u2019m| am| have|'ve|\u2019ve| can|'ll|\u2019ll| will"
    r"| would|'d| think| cannot| notice| see| suggest| don't| do not)\b|i can't"
    r"|we (?:can|need|should)"
    r"|sorry|unfortunately|as an ai|my (?:answer|suggestion|prompt)|analysis|reasons?\b|reasoning"
    r"|(?:the |this |an? |my )?(?:new|improved|revised|updated|better|final|rewritten|combined)\b"
    r"[^\n]{0,40}\b(?:prompt|version|instructions?)|prompt\s*:|add (?:the following|this|a )"
    r"|the (?:prompt|current|existing|original|examples?|failures?|model)\b)",
    re.IGNORECASE,
)
_SPOKEN = re.compile(
    r"\b(?:(?:improved|new|revised|updated|rewritten|original|current|existing|previous|above)"
    r" prompt"
    r"|(?:this|the) (?:revision|rewrite|revised|new version|updated version)|let me know"
    r"|hope (?:this|that)"
    r"|feel free|would you like|key changes|changes (?:made|include)|i(?:'ve|\u2019ve| have)"
    r" (?:added|changed|made|kept|improved|rewritten|updated)|explanation of|rationale)\b",
    re.IGNORECASE,
)
_TOKEN = re.compile(r"[a-z0-9]+|[^\W\x00-\x7f]", re.IGNORECASE)
_KEPT = 0.6
"""Of the words of a prompt, the share that must stand in a rewrite."""


def refuse_chatter(text: str, before: str, target: PromptTarget) -> None:
    """Refuse `text` unless it is the prompt that `before` was, written anew, from end to end.

    It must keep all placeholders and most words of the prompt, and must not speak of prompts or to
    whoever asked: a refusal, a list of ideas or a comment would be tried as a prompt otherwise.

    Raises:
        PromptParseError: with the reason.
    """
    if _OPENER.match(text) or _spoken(text, before):
        raise PromptParseError(f"{_NO_FENCES} it says more than the prompt")
    if not target.placeholders <= set(placeholders(text, target.template)):
        raise PromptParseError(f"{_NO_FENCES} it does not keep the prompt's placeholders")
    words = set(_TOKEN.findall(before.casefold()))
    kept = len(words & set(_TOKEN.findall(text.casefold())))
    if kept < _KEPT * len(words):
        raise PromptParseError(
            f"{_NO_FENCES} it has too little of the prompt to be a new version of it"
        )


def _spoken(text: str, before: str) -> bool:
    known = before.casefold()
    return any(found[0].casefold() not in known for found in _SPOKEN.finditer(text))
