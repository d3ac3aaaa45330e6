"""Logs of Inspect: `.eval`, which is a zip, and JSON, in the versions that name things apart."""

import re
import sys
from collections.abc import Iterator, Mapping
from typing import Any, BinaryIO

from tau.domain.visible import line
from tau.errors import InputError
from tau.scores.json_lines import loads
from tau.scores.sheet import Row, Sheet, unusable

if sys.version_info >= (3, 14):
    import zipfile
else:  # logs are packed by zstd too
    from backports.zstd import zipfile

_MEMBER_BYTES = 256 << 20
_LETTERS: Mapping[object, float] = {"C": 1.0, "P": 0.5, "I": 0.0, "N": 0.0}
"""Correct, partly, incorrect, no answer: as Inspect counts them."""
_SUMMARIES = re.compile(r"_journal/summaries/\d+\.json")


def read_archive(path: str) -> Sheet:
    """The sheet of an `.eval` file; samples are read one at a time.

    Raises:
        InputError: it is no such file, or damaged.
    """
    names = _names(path)
    if not any(name in ("header.json", "_journal/start.json") for name in names):
        raise unusable(path, "this zip file is no log of Inspect", fix="name its .eval file")
    header = _member(path, "header.json" if "header.json" in names else "_journal/start.json")
    return _sheet(path, header, lambda texts: _samples(path, names, texts=texts))


def is_log(document: Any) -> bool:  # noqa: ANN401
    """Whether a JSON document is a log."""
    return (
        isinstance(document, Mapping)
        and isinstance(document.get("eval"), Mapping)
        and any(name in document for name in ("samples", "results", "plan", "status"))
    )


def read_document(path: str, document: Mapping[str, Any]) -> Sheet:
    """The sheet of a log that is one JSON document.

    Raises:
        InputError: it holds no samples.
    """
    samples = document.get("samples")
    if not isinstance(samples, list) or not samples:
        raise unusable(path, "the log has no samples", fix="evaluate with --log-samples")
    return _sheet(path, document, lambda texts: iter(samples))


def _sheet(path: str, header: Mapping[str, Any], samples: Any) -> Sheet:  # noqa: ANN401
    scorers: dict[str, None] = {}
    metadata: dict[str, None] = {}
    count = 0
    for sample in samples(False):
        count += 1
        scorers |= dict.fromkeys(_scores(sample))
        metadata |= dict.fromkeys(f"metadata.{name}" for name in _mapping(sample, "metadata"))
    if not count:
        raise unusable(path, "the log has no samples", fix="evaluate with --log-samples")
    status, eval_ = header.get("status"), _mapping(header, "eval")
    dataset = _mapping(eval_, "dataset").get("name") or eval_.get("task")
    return Sheet(
        where=path,
        form="inspect",
        rows=lambda: ({**_row(one), "dataset": dataset} for one in samples(False)),
        whole=lambda: map(_row, samples(True)),
        columns=("id", "epoch", *scorers, "tokens", "time_s", "input", "output", *metadata),
        ids=("id",),
        scores=tuple(scorers),
        repeats=True,
        content=("id", "dataset"),
        question="input",
        answer="output",
        notes=(
            (f"'{path}': the evaluation did not finish: its status is {status!r}",)
            if isinstance(status, str) and status != "success"
            else ()
        ),
    )


def _row(sample: Mapping[str, Any]) -> Row:
    tokens = sum(
        one.get("total_tokens") or 0
        for one in _mapping(sample, "model_usage").values()
        if isinstance(one, Mapping)
    )
    return {
        "id": str(sample.get("id")),
        "epoch": sample.get("epoch", 1),
        **_scores(sample),
        "tokens": tokens or None,
        "time_s": sample.get("total_time"),
        "input": _text(sample.get("input"), sample),
        "output": _output(sample),
        **{f"metadata.{name}": value for name, value in _mapping(sample, "metadata").items()},
    }


def _scores(sample: Mapping[str, Any]) -> dict[str, Any]:
    """Each scorer's value; of a value with several parts each part."""
    found: dict[str, Any] = {}
    scores = _mapping(sample, "scores")
    if not scores and isinstance(sample.get("score"), Mapping):
        scores = {"score": sample["score"]}
    for scorer, score in scores.items():
        value = score.get("value") if isinstance(score, Mapping) else score
        if isinstance(value, Mapping):
            found |= {f"{scorer}.{part}": _value(one) for part, one in value.items()}
        elif not isinstance(value, list):
            found[scorer] = _value(value)
    return found


def _value(value: Any) -> Any:  # noqa: ANN401
    return _LETTERS.get(value, value) if isinstance(value, str) else value


def _output(sample: Mapping[str, Any]) -> str | None:
    choices = _mapping(sample, "output").get("choices")
    if not isinstance(choices, list) or not choices or not isinstance(choices[0], Mapping):
        return None
    return _text(_mapping(choices[0], "message").get("content"), sample)


def _text(value: Any, sample: Mapping[str, Any]) -> str | None:  # noqa: ANN401
    """The words of a content: a text, or the texts of its parts or messages."""
    if isinstance(value, str):
        attached = _mapping(sample, "attachments").get(value.removeprefix("attachment://"))
        return attached if isinstance(attached, str) else value
    if not isinstance(value, list):
        return None
    parts = [one.get("text", one.get("content")) for one in value if isinstance(one, Mapping)]
    return "\n\n".join(filter(None, (_text(part, sample) for part in parts))) or None


def _mapping(value: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    found = value.get(name)
    return found if isinstance(found, Mapping) else {}


def _names(path: str) -> list[str]:
    with _opened(path) as archive:
        return list(archive.namelist())


def _samples(path: str, names: list[str], *, texts: bool) -> Iterator[Mapping[str, Any]]:
    """Samples in the order of their names; without `texts` the short summaries, where written."""
    whole = [name for name in names if name.startswith("samples/") and name.endswith(".json")]
    short = [name for name in names if name == "summaries.json"] or list(
        filter(_SUMMARIES.fullmatch, names)
    )
    with _opened(path) as archive:
        for name in dict.fromkeys(short if short and not (texts and whole) else whole):
            found = _loaded(path, archive, name)
            for sample in found if isinstance(found, list) else [found]:
                if isinstance(sample, Mapping):
                    yield sample


def _member(path: str, name: str) -> Mapping[str, Any]:
    with _opened(path) as archive:
        found = _loaded(path, archive, name)
    return found if isinstance(found, Mapping) else {}


def _opened(path: str) -> zipfile.ZipFile:
    try:
        return zipfile.ZipFile(path)
    except zipfile.BadZipFile as error:
        raise unusable(path, "the .eval file is damaged", fix=line(str(error))) from None
    except OSError as error:
        raise InputError(f"cannot read '{line(path)}'", why=error.strerror or str(error)) from None


def _loaded(path: str, archive: zipfile.ZipFile, name: str) -> Any:  # noqa: ANN401
    """One member as JSON, never more of it than what a sample may need."""
    try:
        with archive.open(name) as stream:
            data = _limited(stream)  # type: ignore[arg-type]
        if len(data) > _MEMBER_BYTES:
            raise unusable(f"{path} {name}", f"is larger than {_MEMBER_BYTES >> 20} MiB")
        return loads(data)
    except (
        ValueError,
        EOFError,
        NotImplementedError,
        RuntimeError,
        OSError,
        zipfile.BadZipFile,
    ) as error:
        raise unusable(f"{path} {line(name)}", "cannot be read", fix=line(str(error))) from None


def _limited(stream: BinaryIO) -> bytes:
    return stream.read(_MEMBER_BYTES + 1)
