"""GEPA's own package as a contender; runs in the environment `gepa`."""

from importlib.metadata import version
from typing import Any

import gepa
from gepa.core.adapter import EvaluationBatch
from peer import Endpoint, serve, task_messages

COMPONENT = "system_prompt"


class Adapter:
    """The task, sequentially: the order of calls decides which repetition gets which answer."""

    propose_new_texts = None

    def __init__(self, endpoint: Endpoint) -> None:
        self._endpoint = endpoint

    def evaluate(
        self,
        batch: list[dict[str, str]],
        candidate: dict[str, str],
        capture_traces: bool = False,
    ) -> EvaluationBatch:
        """One call and one verdict for each example."""
        traces = []
        for example in batch:
            output = self._endpoint.chat(task_messages(candidate[COMPONENT], example["prompt"]))
            score, feedback = self._endpoint.grade(example["prompt"], output)
            traces.append((example["prompt"], output, score, feedback))
        return EvaluationBatch(
            outputs=[output for _, output, _, _ in traces],
            scores=[score for _, _, score, _ in traces],
            trajectories=traces if capture_traces else None,
        )

    def make_reflective_dataset(
        self,
        candidate: dict[str, str],
        eval_batch: EvaluationBatch,
        components_to_update: list[str],
    ) -> dict[str, list[dict[str, str]]]:
        """As GEPA's default adapter lays it out."""
        records = [
            {"Inputs": prompt, "Generated Outputs": output, "Feedback": feedback}
            for prompt, output, _, feedback in eval_batch.trajectories
        ]
        return dict.fromkeys(components_to_update, records)


class Quiet:
    """GEPA's log says nothing here."""

    def log(self, message: str) -> None:
        """Nothing."""


def run(job: dict[str, Any], endpoint: Endpoint) -> dict[str, Any]:
    """GEPA at its defaults but for the settings of the job."""

    def reflect(prompt: str | list[dict[str, str]]) -> str:
        said = [{"role": "user", "content": prompt}] if isinstance(prompt, str) else prompt
        return endpoint.chat(said)

    result = gepa.optimize(
        seed_candidate={COMPONENT: job["start_prompt"]},
        trainset=job["optimize"],
        valset=job["validate"],
        adapter=Adapter(endpoint),
        reflection_lm=reflect,
        reflection_minibatch_size=job["settings"]["minibatch"],
        max_metric_calls=job["budget"],
        seed=job["seed"],
        logger=Quiet(),
        display_progress_bar=False,
    )
    best = result.best_candidate
    prompt = best if isinstance(best, str) else best[COMPONENT]
    return {
        "messages": task_messages(prompt, job["probe"]),
        "claimed": result.val_aggregate_scores[result.best_idx],
        "claimed_start": result.val_aggregate_scores[0],
        "candidates": result.num_candidates,
        "versions": {"gepa": version("gepa")},
    }


if __name__ == "__main__":
    serve(run)
