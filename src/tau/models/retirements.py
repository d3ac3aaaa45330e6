"""Models that their providers have said they will take away, with the day and who said so."""

import re
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Retirement:
    """A model stops answering `on` a day (ISO 8601, UTC); its dated snapshots do too."""

    model: str
    on: str
    source: str


_OPENAI = "https://platform.openai.com/docs/deprecations"
RETIREMENTS = (
    Retirement(model="gpt-4.1-mini", on="2027-01-14", source=_OPENAI),
    Retirement(model="gpt-4o-mini", on="2027-01-14", source=_OPENAI),
)
"""By day, then by name."""

_SNAPSHOT = re.compile(r"-\d{4}-\d{2}-\d{2}$")


def retirement_of(name: str) -> Retirement | None:
    """What is known of a model's end, by its name with or without vendor and date."""
    plain = _SNAPSHOT.sub("", name.rpartition("/")[2].lower())
    return next((one for one in RETIREMENTS if one.model == plain), None)
