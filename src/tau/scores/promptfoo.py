"""Result files of promptfoo: its versions from 1 to 4, results in a file, shared or by line."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any

from tau.scores.sheet import Row, Sheet, id_of_content, unusable

_ERROR = 2
"""`failureReason` of a test that could not be carried out."""


def results_of(document: Any) -> Sequence[Any] | None:  # noqa: ANN401
    """The list of results of a promptfoo document, None where it is none."""
    if isinstance(document, list) and not document:
        return None
    found = document
    for _ in range(3):  # a shared file holds {data: {results: {results: [...]}}}
        if isinstance(found, Mapping) and isinstance(found.get("data"), Mapping):
            found = found["data"]
        if isinstance(found, Mapping):
            found = found.get("results")
    if not isinstance(found, list):
        found = _first_list(document)
    if isinstance(found, list) and all(map(is_result, found[:20])):
        return found
    return None


def is_result(row: Any) -> bool:  # noqa: ANN401
    """Whether a row looks like one result."""
    return (
        isinstance(row, Mapping)
        and isinstance(row.get("prompt"), Mapping)
        and ("success" in row or "gradingResult" in row)
    )


def read_results(path: str, document: Any, results: Sequence[Any]) -> Sheet:  # noqa: ANN401
    """The sheet of a document's results.

    Raises:
        InputError: there is none.
    """
    if not results:
        raise unusable(
            path,
            "the file has no results of single tests",
            fix="write them out of promptfoo's database: promptfoo export eval ID -o results.json",
        )
    heads = _heads(document)
    if not heads or "promptIdx" in results[0]:
        return sheet_of(path, lambda: iter(results))
    placed = [{**one, "promptIdx": _place(one, heads)} for one in results]
    return sheet_of(path, lambda: iter(placed))


def sheet_of(path: str, results: Any) -> Sheet:  # noqa: ANN401
    """The sheet of results that can be read again and again."""
    names: dict[str, None] = {}
    variables: dict[str, None] = {}
    places: dict[str, set[object]] = {}
    for result in results():
        places.setdefault(_variant(result), set()).add(result.get("promptIdx"))
        names |= dict.fromkeys(_named(result))
        variables |= dict.fromkeys(f"vars.{name}" for name in _variables(result))
        variables |= dict.fromkeys(f"metadata.{name}" for name in _metadata(result))
    shared = {name for name, found in places.items() if len(found) > 1}
    return Sheet(
        where=path,
        form="promptfoo",
        rows=lambda: _rows(results(), shared),
        columns=(
            "id", "score", "pass", *names, "cost", "latency_ms", "prompt", "provider", "output",
            *variables,
        ),
        ids=("id",),
        scores=("score",),
        variants=("variant", "prompt", "raw_prompt", "provider", "prompt_index", "prompt_id"),
        repeats=True,
        content=("vars",),
        question="vars",
        answer="output",
    )  # fmt: skip


def _rows(results: Iterator[Any], shared: Collection[str]) -> Iterator[Row]:
    """`shared` are names that several prompts of the file have: these are told apart by place."""
    for number, result in enumerate(results):
        variables = _variables(result)
        prompt, answer = _mapping(result, "prompt"), _answer(result)
        variant, at = _variant(result), result.get("promptIdx")
        failed = _failed(result)
        place = result.get("testIdx", number)
        yield {
            "id": id_of_content(variables) if variables else f"test {place}",
            "score": None if failed else _score(result),
            "pass": None if failed else result.get("success"),
            **({} if failed else _named(result)),
            "cost": result.get("cost"),
            "latency_ms": result.get("latencyMs"),
            "variant": f"{variant} #{at}" if variant in shared else variant,
            "prompt": _label(result),
            "raw_prompt": prompt.get("raw"),
            "provider": _provider(result),
            "prompt_index": result.get("promptIdx"),
            "prompt_id": result.get("promptId"),
            "output": answer.get("output"),
            "vars": variables,
            **{f"vars.{name}": value for name, value in variables.items()},
            **{f"metadata.{name}": value for name, value in _metadata(result).items()},
        }


def _label(result: Mapping[str, Any]) -> Any:  # noqa: ANN401
    prompt = _mapping(result, "prompt")
    return prompt.get("label") or prompt.get("display") or prompt.get("raw") or ""


def _variant(result: Mapping[str, Any]) -> str:
    label, provider = _label(result), _provider(result)
    return f"{label} [{provider}]" if provider else str(label)


def _heads(document: Any) -> list[tuple[str, str]]:  # noqa: ANN401
    """Label and provider of each prompt in the order of the document's table."""
    found = document
    for _ in range(3):
        if isinstance(found, Mapping) and not isinstance(found.get("table"), Mapping):
            found = found.get("data") or found.get("results")
    if not isinstance(found, Mapping) or not isinstance(found.get("table"), Mapping):
        return []
    prompts = _mapping(found["table"], "head").get("prompts")
    if not isinstance(prompts, list):
        return []
    return [
        (str(one.get("label") or one.get("display")), str(one.get("provider") or ""))
        if isinstance(one, Mapping)
        else (str(one), "")
        for one in prompts
    ]


def _place(result: Mapping[str, Any], heads: Sequence[tuple[str, str]]) -> int | None:
    """The place of a result's prompt among those of the table."""
    prompt = _mapping(result, "prompt")
    label = str(prompt.get("label") or prompt.get("display"))
    whole = (label, _provider(result))
    if whole in heads:
        return heads.index(whole)
    labels = [name for name, _ in heads]
    return labels.index(label) if labels.count(label) == 1 else None


def _first_list(document: Any) -> Any:  # noqa: ANN401
    results = document.get("results") if isinstance(document, Mapping) else None
    return results if isinstance(results, list) else None


def _mapping(result: Mapping[str, Any], *names: str) -> Mapping[str, Any]:
    for name in names:
        if isinstance(value := result.get(name), Mapping):
            return value
    return {}


def _answer(result: Mapping[str, Any]) -> Mapping[str, Any]:
    return _mapping(result, "response", "providerResponse")


def _variables(result: Mapping[str, Any]) -> Mapping[str, Any]:
    """The test's variables as they were written, not as a strategy changed them."""
    found = _mapping(_mapping(result, "testCase"), "vars") or _mapping(result, "vars")
    return {name: value for name, value in found.items() if not name.startswith("_")}


def _metadata(result: Mapping[str, Any]) -> Mapping[str, Any]:
    found = _mapping(_mapping(result, "testCase"), "metadata")
    return {name: value for name, value in found.items() if isinstance(value, str | int)}


def _named(result: Mapping[str, Any]) -> Mapping[str, Any]:
    return {
        name: value
        for name, value in _mapping(result, "namedScores").items()
        if isinstance(value, int | float) and name not in ("id", "score", "pass")
    }


def _provider(result: Mapping[str, Any]) -> str:
    provider = result.get("provider")
    if isinstance(provider, Mapping):
        return str(provider.get("label") or provider.get("id") or "")
    return provider if isinstance(provider, str) else ""


def _score(result: Mapping[str, Any]) -> Any:  # noqa: ANN401
    score = result.get("score")
    if score is None:
        score = _mapping(result, "gradingResult").get("score")
    return result.get("success") if score is None else score


def _failed(result: Mapping[str, Any]) -> bool:
    """Whether the test could not be carried out: then its 0 is no score."""
    reason = result.get("failureReason")
    if reason is not None:
        return bool(reason == _ERROR)
    wrong = result.get("error") or _answer(result).get("error")
    return bool(wrong) and not _mapping(result, "gradingResult")
