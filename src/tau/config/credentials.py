"""Credentials in a configuration: they would end up in the store, so they are refused unread."""

import re
from collections.abc import Mapping
from typing import Any

from tau.config.environment import is_secret
from tau.config.report import IssueReport, JsonPath, dotted
from tau.stores.location import shown

_FREE = frozenset({"optimize", "validate", "test", "train", "val", "resources", "safety_reward"})
"""Sections whose keys are the user's own names."""
_CAMEL = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|-")


def without_credentials(value: Mapping[str, Any], report: IssueReport) -> dict[str, Any]:
    """`value` without texts under names of credentials, each of which is reported as a mistake.

    What such a field holds is never repeated.
    """
    kept = {}
    for name, each in value.items():
        if name in _FREE:
            kept[name] = each
        elif not _refused(name, each, (name,), report):
            kept[name] = _cleaned(each, (name,), report, deep=name != "graders")
    return kept


def check_store(location: Any, report: IssueReport) -> None:  # noqa: ANN401
    """Report a password in the URL of a store."""
    if isinstance(location, str) and shown(location) != location:
        report.error(
            ("store",),
            "training config field 'store' would hold a credential",
            fix="leave the password out of the URL; it is read from PGPASSWORD or ~/.pgpass",
        )


def _cleaned(value: Any, steps: JsonPath, report: IssueReport, *, deep: bool) -> Any:  # noqa: ANN401
    """`deep`: whether objects within objects hold names of ours too, and not the user's."""
    if isinstance(value, list):
        return [
            _cleaned(each, (*steps, index), report, deep=deep) for index, each in enumerate(value)
        ]
    if not isinstance(value, Mapping):
        return value
    return {
        name: _cleaned(each, (*steps, name), report, deep=deep) if deep else each
        for name, each in value.items()
        if not _refused(name, each, (*steps, name), report)
    }


def _refused(name: str, value: Any, steps: JsonPath, report: IssueReport) -> bool:  # noqa: ANN401
    """Report a text under the name of a credential; objects there are schemas and the like."""
    if not isinstance(value, str) or not is_secret(_CAMEL.sub("_", name)):
        return False
    report.error(
        steps,
        f"training config field '{dotted(steps)}' would hold a credential",
        fix="remove it; keys are read from the environment, as OPENAI_API_KEY",
    )
    return True
