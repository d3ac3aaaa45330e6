"""A configuration to begin with: commented, valid as it is, runnable without a key."""

import json
from dataclasses import dataclass

ROWS_NAME = "examples.jsonl"

_SUMS = (
    "2 + 2", "3 + 3", "12 - 5", "7 * 6", "81 / 9", "15 + 27", "100 - 58", "11 * 11",
    "144 / 12", "9 * 8", "250 + 250", "1000 - 1",
)  # fmt: skip
_FOR_OPTIMIZE = 8

_CONFIG = """\
# A Tau configuration. `tau check` says whether it can be run, `tau run` runs it.
# All fields: `tau schema config`. JSON and TOML files with the same fields work as well.

# The model, as provider/model. sim/rules is a simulator: no key, no network, no cost.
# Others: openai/gpt-4o-mini, anthropic/..., ollama/..., with the key in the provider's usual
# environment variable (OPENAI_API_KEY, ...); never put a key into this file.
model: {model}

# Passed to the model as they are.
params:
  temperature: 0

# What is measured: the system prompt that each rollout runs with. {{placeholders}} are filled
# from the row's fields.
resources:
  system_prompt: You are a concise assistant. Answer with the number only.

# Rows: inline as a list, or from a JSONL, CSV, JSON or YAML file. A row has a `prompt` and,
# for grading, what is `expected`; give other names with
#   map: {{prompt: question, expected: answer}}
optimize:
  file: {rows}
  limit: {limit}
validate:
  file: {rows}
  offset: {limit}

# What outputs are graded by; exact_match compares with `expected`.
graders:
  - exact_match

# Hard limits; the run stops before it would exceed one, and can be continued.
budget:
  calls: 200
  usd: 1.00

# How many rollouts run at the same time: workers times rollouts in flight of each.
worker_count: 2
worker_concurrency: 4

# Failed attempts are retried where that can help (rate limits, broken connections, ...).
retries:
  max_attempts: 5

# What every random draw is derived from.
seed: 0
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Starter:
    """The text of a configuration, and that of the dataset it names, to be put beside it."""

    config: str
    rows: str
    rows_name: str


def starter(*, model: str = "sim/rules", rows_name: str = ROWS_NAME) -> Starter:
    """A commented YAML configuration for `model` and a small dataset of sums."""
    config = _CONFIG.format(
        model=json.dumps(model, ensure_ascii=False),
        rows=json.dumps(rows_name, ensure_ascii=False),
        limit=_FOR_OPTIMIZE,
    )
    lines = (
        json.dumps({"prompt": f"What is {text}?", "expected": _result(text)}) for text in _SUMS
    )
    return Starter(config=config, rows="\n".join(lines) + "\n", rows_name=rows_name)


def _result(text: str) -> str:
    left, sign, right = text.split()
    a, b = int(left), int(right)
    return str({"+": a + b, "-": a - b, "*": a * b, "/": a // b}[sign])
