"""A configuration to begin with: commented, valid as it is, runnable without a key."""

import json
from dataclasses import dataclass

from tau.domain.dataset import Split
from tau.models.providers import EXAMPLE_MODEL
from tau.sim.world import START_PROMPT, World

ROWS_NAME = "examples.jsonl"

_WORLD = 4
_ROWS = {Split.OPTIMIZE: 60, Split.VALIDATE: 60, Split.TEST: 80}

_CONFIG = """\
# A Tau configuration. `tau check` says whether it can be run, `tau run` runs it.
# All fields: `tau schema config`. JSON and TOML files with the same fields work as well.

# The model, as provider/model. sim/rules is a simulator: no key, no network, no cost.
# Others: {example}, anthropic/..., ollama/..., with the key in the provider's usual
# environment variable (OPENAI_API_KEY, ...); never put a key into this file.
model: {model}

# Passed to the model as they are.
params:
  temperature: 0

# What is measured and improved: the system prompt that each rollout runs with. A placeholder such
# as {{column}} is filled from the row; `template: mustache` fills {{{{column}}}} instead.
resources:
  system_prompt: {prompt}

# Rows: inline as a list, or from a JSONL, CSV, JSON or YAML file. A row has a `prompt` and,
# for grading, what is `expected`; give other names with
#   map: {{prompt: question, expected: answer}}
# `tau optimize` proposes from `optimize`, chooses by `validate`, and proves on `test`. These are
# orders, to be written by rules that the prompt does not say.
optimize:
  file: {rows}
  limit: {optimize}
validate:
  file: {rows}
  offset: {optimize}
  limit: {validate}
test:
  file: {rows}
  offset: {searched}

# What outputs are graded by; exact_match compares with `expected`.
graders:
  - exact_match

# Hard limits; the run stops before it would exceed one, and can be continued.
budget:
  calls: 900
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
    """A commented YAML configuration for `model`, and rows enough to prove something with it."""
    config = _CONFIG.format(
        model=json.dumps(model, ensure_ascii=False),
        rows=json.dumps(rows_name, ensure_ascii=False),
        example=EXAMPLE_MODEL,
        prompt=json.dumps(START_PROMPT, ensure_ascii=False),
        optimize=_ROWS[Split.OPTIMIZE],
        validate=_ROWS[Split.VALIDATE],
        searched=_ROWS[Split.OPTIMIZE] + _ROWS[Split.VALIDATE],
    )
    world = World(_WORLD)
    lines = (
        json.dumps({name: row[name] for name in ("prompt", "expected")}, ensure_ascii=False)
        for split, count in _ROWS.items()
        for row in world.examples(split, count)
    )
    return Starter(config=config, rows="\n".join(lines) + "\n", rows_name=rows_name)
