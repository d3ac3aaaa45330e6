"""Arguments of a kind that cannot be used are refused by their names, before anything runs."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from tau.errors import InputError


def check_task(task: object, prompt: object) -> None:
    """Refuse what is neither a model's name nor a function, and prompts that are no texts."""
    if not (callable(task) or (isinstance(task, str) and task.strip())):
        raise _wrong("task", task, "a model such as 'openai/...' or a function")
    if isinstance(prompt, Mapping):
        if not prompt:
            raise InputError("'prompt' holds no prompts", fix="give a text, or texts by name")
        for name, value in prompt.items():
            if not isinstance(name, str) or not (_text(value) or _messages(value)):
                raise _wrong(f"prompt[{name!r}]", value, "a text or a list of chat messages")
    elif not isinstance(prompt, str):
        raise _wrong("prompt", prompt, "a text, or texts by name")


def check_data(data: object) -> None:
    """Refuse data that are neither rows nor a file of them, as a whole or by split."""
    splits = data if isinstance(data, Mapping) else {"": data}
    for split, rows in splits.items():
        name = f"data[{split!r}]" if isinstance(data, Mapping) else "data"
        if hasattr(rows, "to_dict"):
            raise _wrong(name, rows, "a list of rows", fix="give rows.to_dict('records')")
        if not isinstance(rows, str | Path) and not isinstance(rows, Sequence):
            raise _wrong(name, rows, "a list of rows, or a file of them")


def check_graders(graders: object) -> None:
    """Refuse what is no list of graders, or holds something that cannot grade."""
    if isinstance(graders, str | Mapping) or callable(graders):
        raise _wrong("graders", graders, "a list of graders", fix="put it in a list: graders=[...]")
    if not isinstance(graders, Sequence):
        raise _wrong("graders", graders, "a list of graders")
    for number, grader in enumerate(graders):
        if not (isinstance(grader, str | Mapping) or callable(grader)):
            kinds = "a grader's name, a dict of its settings, or a function"
            raise _wrong(f"graders[{number}]", grader, kinds)


def check_limits(
    budget: object, retries: object, params: object, time_limit_s: object, concurrency: object
) -> None:
    """Refuse limits that are no numbers of the right kind."""
    if budget is not None and not (_whole(budget, least=1) or isinstance(budget, Mapping)):
        raise _wrong("budget", budget, "a number of rollouts, or a dict of limits")
    if retries is not None and not (_whole(retries, least=0) or isinstance(retries, Mapping)):
        raise _wrong("retries", retries, "a whole number from 0, or a dict as in a configuration")
    if params is not None and not isinstance(params, Mapping):
        raise _wrong("params", params, "a dict")
    if time_limit_s is not None and not (
        isinstance(time_limit_s, int | float) and not isinstance(time_limit_s, bool)
        and time_limit_s > 0
    ):  # fmt: skip
        raise _wrong("time_limit_s", time_limit_s, "seconds above 0")
    if not _whole(concurrency, least=1):
        raise _wrong("concurrency", concurrency, "a whole number from 1")


def check_store(store: object) -> None:
    """Refuse what names no store."""
    if not (store is None or isinstance(store, Path) or _text(store)):
        raise _wrong("store", store, "a path or a postgresql:// address")


def _text(value: object) -> bool:
    return isinstance(value, str) and bool(value.strip())


def _messages(value: object) -> bool:
    return isinstance(value, Sequence) and not isinstance(value, str) and bool(value)


def _whole(value: object, *, least: int) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= least


def _wrong(name: str, value: object, wanted: str, *, fix: str | None = None) -> InputError:
    shown = "None" if value is None else f"{type(value).__name__} {value!r:.60}"
    if isinstance(value, Callable):  # type: ignore[arg-type]
        shown = "a function"
    return InputError(f"'{name}' must be {wanted}", why=f"it is {shown}", fix=fix)
