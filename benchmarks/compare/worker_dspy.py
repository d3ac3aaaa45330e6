"""DSPy's GEPA and MIPROv2 as contenders; runs in the environment `dspy`."""

import logging
from functools import lru_cache
from importlib.metadata import version
from typing import Any

import dspy
from dspy.clients import costs
from dspy.teleprompt import GEPA, MIPROv2
from peer import Endpoint, serve

logging.getLogger("dspy").setLevel(logging.ERROR)
# With every call DSPy looks through all known models for a price: half of the time of a call here.
costs.model_info = lru_cache(costs.model_info)


class Clerk(dspy.Signature):
    """Replaced by the start prompt."""

    order: str = dspy.InputField()
    booking_line: str = dspy.OutputField()


class Mipro(MIPROv2):
    """MIPROv2 with as many trials as the rest of the budget buys, once it has bootstrapped.

    Its own arguments fix the number of trials beforehand, when what bootstrapping costs is not
    known. The default program's evaluation counts too.
    """

    endpoint: Endpoint
    budget: int

    def _optimize_prompt_parameters(self, *args: Any, **kwargs: Any) -> Any:  # noqa: ANN401
        program, instructions, demos, evaluate, valset, _, *rest = args
        left = self.budget - self.endpoint.task_calls()
        trials = max(1, left // len(valset) - 1)
        return super()._optimize_prompt_parameters(
            program, instructions, demos, evaluate, valset, trials, *rest, **kwargs
        )


def language_model(job: dict[str, Any]) -> dspy.LM:
    """DSPy's own client, nothing cached: every call reaches the server."""
    return dspy.LM(
        f"openai/{job['model']}",
        api_base=job["base_url"] + "/v1",
        api_key="none",
        cache=False,
        num_retries=0,
    )


def run(job: dict[str, Any], endpoint: Endpoint) -> dict[str, Any]:
    """One optimizer on a program of one predictor."""

    def metric(
        gold: dspy.Example,
        pred: dspy.Prediction,
        trace: object = None,
        pred_name: str | None = None,
        pred_trace: object = None,
    ) -> object:
        score, feedback = endpoint.grade(gold.order, pred.booking_line or "")
        if pred_name is None and job["method"] != "gepa":
            return score
        return dspy.Prediction(score=score, feedback=feedback)

    lm = language_model(job)
    adapter = dspy.ChatAdapter()
    signature = Clerk.with_instructions(job["start_prompt"])
    train, validate = (
        [
            dspy.Example(order=row["prompt"], booking_line=row["expected"]).with_inputs("order")
            for row in job[split]
        ]
        for split in ("optimize", "validate")
    )
    optimize = _gepa if job["method"] == "gepa" else _mipro
    with dspy.context(lm=lm, adapter=adapter, disable_history=True):
        found, claims = optimize(
            job, endpoint, metric, lm, dspy.Predict(signature), train, validate
        )
    messages = adapter.format(found.signature, found.demos, {"order": job["probe"]})
    return {
        "messages": messages,
        "demonstrations": len(found.demos),
        **claims,
        "versions": {name: version(name) for name in ("dspy", "gepa", "litellm", "optuna")},
    }


def _gepa(
    job: dict[str, Any],
    endpoint: Endpoint,
    metric: Any,  # noqa: ANN401
    lm: dspy.LM,
    student: dspy.Predict,
    train: list[dspy.Example],
    validate: list[dspy.Example],
) -> tuple[dspy.Predict, dict[str, float]]:
    optimizer = GEPA(
        metric=metric,
        max_metric_calls=job["budget"],
        reflection_minibatch_size=job["settings"]["minibatch"],
        reflection_lm=lm,
        num_threads=1,
        track_stats=True,
        seed=job["seed"],
    )
    found = optimizer.compile(student, trainset=train, valset=validate)
    scores = found.detailed_results.val_aggregate_scores
    return found, {
        "claimed": max(scores),
        "claimed_start": scores[0],
        "candidates": len(scores),
    }


def _mipro(
    job: dict[str, Any],
    endpoint: Endpoint,
    metric: Any,  # noqa: ANN401
    lm: dspy.LM,
    student: dspy.Predict,
    train: list[dspy.Example],
    validate: list[dspy.Example],
) -> tuple[dspy.Predict, dict[str, float]]:
    settings = job["settings"]
    optimizer = Mipro(
        metric=metric,
        prompt_model=lm,
        task_model=lm,
        auto=None,
        num_candidates=settings["candidates"],
        max_bootstrapped_demos=settings["bootstrapped"],
        max_labeled_demos=settings["labeled"],
        num_threads=1,
        seed=job["seed"],
    )
    optimizer.endpoint, optimizer.budget = endpoint, job["budget"]
    found = optimizer.compile(
        student, trainset=train, valset=validate, num_trials=1, minibatch=False
    )
    logs = found.trial_logs
    return found, {
        "claimed": found.score / 100,
        "claimed_start": logs[min(logs)]["full_eval_score"] / 100,
        "candidates": len(logs),
    }


if __name__ == "__main__":
    serve(run)
