"""Figures and sentences as reports say them."""

import re


def counted(number: int, noun: str) -> str:
    """`1 rollout`, `1,200 rollouts`."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def signed(value: float) -> str:
    """`+0.125`, with a true minus."""
    return f"{value:+.3f}".replace("-", "\u2212")


def dollars(usd: float) -> str:
    """Two decimals, or as many as a small amount needs to be seen."""
    if usd == 0 or usd >= 1:
        return f"${usd:,.2f}"
    if usd < 0.000001:
        return "<$0.000001"
    whole, _, rest = f"{usd:.6f}".rstrip("0").partition(".")
    return f"${whole}.{rest:0<2}"


def capital(text: str) -> str:
    """What others wrote, with a capital and else as it is: its signs may be a part of an answer."""
    return text[:1].upper() + text[1:]


def sentence(text: str) -> str:
    """A reason as a sentence: with a capital, ended once, its signs true ones."""
    end = "" if text.endswith((".", "!", "?")) else "."
    true = re.sub(r"(?<![\w.])-(?=[0-9])", "\u2212", text)
    return f"{capital(true)}{end}" if text else ""
