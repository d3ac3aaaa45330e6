"""The option for a loss that would not matter."""

from typing import Any

import click


class Margin(click.ParamType[float]):
    """A share such as 0.02, or the same as `2%`."""

    name = "loss"

    def convert(
        self,
        value: Any,  # noqa: ANN401  (click hands over whatever it has)
        param: click.Parameter | None,
        ctx: click.Context | None,
    ) -> float:
        """As a number; whether it can be a margin is said where it is used."""
        text = str(value).strip()
        try:
            return float(text[:-1]) / 100 if text.endswith("%") else float(text)
        except ValueError:
            self.fail(f"'{text}' is no share: give it as 0.02, or as 2%", param, ctx)


class OpenMargin(Margin):
    """A margin between 0 and 1, checked at once."""

    def convert(
        self,
        value: Any,  # noqa: ANN401
        param: click.Parameter | None,
        ctx: click.Context | None,
    ) -> float:
        """As a number between 0 and 1."""
        found = super().convert(value, param, ctx)
        if not 0 < found < 1:
            self.fail(f"a margin must be above 0 and below 1, got {found:g}", param, ctx)
        return found
