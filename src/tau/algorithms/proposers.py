"""Ways to ask a model for a better prompt; strategies that the algorithms share.

A draft is a question that waits for its answer. What comes back is read strictly; what cannot be
used is asked for once more, with the reason, and is then a failed proposal: data, not a crash.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from tau.algorithms import templates
from tau.algorithms.bare import UNFENCED, refuse_chatter
from tau.algorithms.evidence import Failure, described
from tau.algorithms.fences import answer_in, fence, fenced, unfenced, whole
from tau.algorithms.pool import Candidate, child
from tau.algorithms.prompts import Target, Unusable, proposed, shown
from tau.algorithms.settings import SearchSettings
from tau.algorithms.templates import fill
from tau.domain.claim import BETTER, ClaimTerms
from tau.domain.dataset import Example
from tau.domain.ids import ExampleId, ResourcesHash
from tau.domain.json import Json
from tau.domain.resources import Resources
from tau.domain.rollout import Output, RolloutKind, RolloutRequest
from tau.errors import InputError

_ANSWER_CHARS = 20_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Texts:
    """The templates in force."""

    reflect: str = templates.REFLECT
    critique: str = templates.CRITIQUE
    edit: str = templates.EDIT
    paraphrase: str = templates.PARAPHRASE
    crossover: str = templates.CROSSOVER
    history: str = templates.HISTORY
    repair: str = templates.REPAIR


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """A question for the reflection model about `target` of `parents[0]`.

    `strategy` says how the answer is used: 'critique' is material for an edit, everything else a
    prompt. `bred` are the examples shown. `repaired` is set on the second and last try.
    """

    strategy: str
    target: str
    parents: tuple[ResourcesHash, ...]
    messages: tuple[tuple[str, str], ...]
    bred: frozenset[ExampleId] = frozenset()
    repaired: bool = False
    slot: int = 0

    def request(self, parent: Resources) -> RolloutRequest:
        """As a rollout."""
        said: list[Json] = [{"role": role, "content": text} for role, text in self.messages]
        return RolloutRequest(
            kind=RolloutKind.PROPOSE,
            resources=parent,
            proposal={"messages": said},
            slot=self.slot,
        )

    def to_json(self) -> Json:
        """For a checkpoint."""
        return {
            "strategy": self.strategy,
            "target": self.target,
            "parents": list(self.parents),
            "messages": [list(one) for one in self.messages],
            "bred": sorted(self.bred),
            "repaired": self.repaired,
            "slot": self.slot,
        }

    @classmethod
    def from_json(cls, state: Any) -> "Draft":  # noqa: ANN401  (JSON)
        """What `to_json` made; TypeError or KeyError for anything else."""
        return cls(
            strategy=str(state["strategy"]),
            target=str(state["target"]),
            parents=tuple(state["parents"]),
            messages=tuple((str(role), str(text)) for role, text in state["messages"]),
            bred=frozenset(state["bred"]),
            repaired=bool(state["repaired"]),
            slot=int(state["slot"]),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Proposers:
    """Writes drafts and reads answers.

    `examples` are all that may be shown, and of them `columns` beside the prompt. `wish` is asked
    of every new prompt.
    """

    texts: Texts
    targets: Mapping[str, Target]
    examples: Mapping[ExampleId, Example]
    max_chars: int
    columns: frozenset[str] = frozenset()
    context: Mapping[str, str] = field(default_factory=dict)
    wish: str = ""

    @classmethod
    def of(
        cls,
        settings: SearchSettings,
        targets: Sequence[Target],
        examples: Sequence[Example],
        claim: ClaimTerms = BETTER,
    ) -> "Proposers":
        """What asks as `settings` say.

        Raises:
            InputError: a template without a part it needs, a column that no row has.
        """
        texts = {str(name): text for name, text in settings.templates.items()}
        templates.check(texts)
        known = sorted({name for one in examples for name in one.fields} - {"expected"})
        for name in settings.columns:
            if name not in known:
                raise InputError(
                    f"no row has a column '{name}'",
                    where="algorithm.columns",
                    fix=f"name some of: {', '.join(known)}",
                )
        return cls(
            texts=Texts(**texts),
            targets={target.name: target for target in targets},
            examples={one.id: one for one in examples},
            max_chars=settings.max_chars,
            columns=frozenset(settings.columns).union(*(one.placeholders for one in targets)),
            wish=templates.wish(claim.minimize),
        )

    def reflect(
        self,
        parent: Candidate,
        target: Target,
        evidence: Sequence[Failure],
        *,
        right: int,
        seen: int,
    ) -> Draft:
        """Rewrite the prompt in the light of failures."""
        parts = {
            "evidence": described(evidence, self.examples, self.columns),
            "right": str(right),
            "seen": str(seen),
        }
        return self._draft("reflect", self.texts.reflect, (parent,), target, parts, evidence)

    def critique(self, parent: Candidate, target: Target, evidence: Sequence[Failure]) -> Draft:
        """A textual gradient: what is wrong with the prompt (R. Pryzant et al., EMNLP 2023)."""
        parts = {"evidence": described(evidence, self.examples, self.columns)}
        return self._draft("critique", self.texts.critique, (parent,), target, parts, evidence)

    def edit(
        self, parent: Candidate, target: Target, evidence: Sequence[Failure], critique: str
    ) -> Draft:
        """Follow a critique."""
        parts = {
            "evidence": described(evidence, self.examples, self.columns),
            "critique": critique.strip()[:_ANSWER_CHARS],
        }
        return self._draft("edit", self.texts.edit, (parent,), target, parts, evidence)

    def paraphrase(self, parent: Candidate, target: Target) -> Draft:
        """Say the same in other words."""
        return self._draft("paraphrase", self.texts.paraphrase, (parent,), target, {}, ())

    def crossover(self, first: Candidate, second: Candidate, target: Target) -> Draft:
        """Put two prompts together, the first with precedence."""
        other = shown(second.resources, target)
        marks = fence(other, shown(first.resources, target))
        parts = {"second": fenced(other, marks)}
        return self._draft("crossover", self.texts.crossover, (first, second), target, parts, ())

    def history(
        self,
        ranked: Sequence[tuple[Candidate, float]],
        target: Target,
        evidence: Sequence[Failure],
    ) -> Draft:
        """Go on from scored versions, the best first (C. Yang et al., OPRO, ICLR 2024)."""
        texts = [shown(candidate.resources, target) for candidate, _ in ranked]
        marks = fence(*texts) if texts else "```"
        told = [
            f"Prompt with score {round(100 * score)}:\n\n{fenced(text, marks)}"
            for text, (_, score) in zip(texts, ranked, strict=True)
        ]
        parts = {
            "history": "\n\n".join(reversed(told)),
            "evidence": described(evidence, self.examples, self.columns) or "(none)",
        }
        best = ranked[0][0]
        return self._draft("history", self.texts.history, (best,), target, parts, evidence)

    def made(
        self, draft: Draft, parents: Sequence[Candidate], output: Output, *, born: int
    ) -> tuple[Candidate, str]:
        """The candidate an answer stands for, and what is to be noted about it.

        Raises:
            Unusable: no single text that is the prompt, or one that breaks its invariants.
        """
        target = self.targets[draft.target]
        said = whole(output)
        bare = unfenced(said)
        text = said.strip() if bare else answer_in(said)
        if bare:
            refuse_chatter(text, shown(parents[0].resources, target), target)
        resources = proposed(parents[0].resources, target, text, max_chars=self.max_chars)
        if resources.hash in {one.hash for one in parents}:
            raise Unusable("it is the same as before")
        made = child(
            parents[0],
            resources,
            origin=draft.strategy,
            bred=draft.bred,
            others=parents[1:],
            born=born,
        )
        return made, UNFENCED if bare else ""

    def repair(self, draft: Draft, answer: str, why: str) -> Draft:
        """Ask once more, saying why the answer could not be used."""
        marks = fence(draft.messages[-1][1], answer)
        again = fill(self.texts.repair, {"why": why, "marks": marks})
        said = (("assistant", answer[:_ANSWER_CHARS]), ("user", again))
        return replace(draft, messages=(*draft.messages, *said), repaired=True)

    def _draft(
        self,
        strategy: str,
        template: str,
        parents: tuple[Candidate, ...],
        target: Target,
        parts: Mapping[str, str],
        evidence: Sequence[Failure],
    ) -> Draft:
        text = shown(parents[0].resources, target)
        marks = fence(text, *parts.values())
        filled = fill(
            template,
            {
                "name": target.name,
                "prompt": fenced(text, marks),
                "context": self._context(parents[0].resources, target),
                "rules": _rules(target, self.max_chars) + self.wish,
                "marks": marks,
                **parts,
            },
        )
        return Draft(
            strategy=strategy,
            target=target.name,
            parents=tuple(one.hash for one in parents),
            messages=(("user", filled),),
            bred=frozenset(one.example for one in evidence),
        )

    def _context(self, resources: Resources, target: Target) -> str:
        """The other prompts that are used together with the one in question."""
        others = [one for name, one in self.targets.items() if name != target.name]
        if not others:
            return ""
        told = "\n\n".join(f"({one.name}) {shown(resources, one)[:_OTHER_CHARS]}" for one in others)
        return f"It is used together with these, which are not to be changed now:\n\n{told}\n\n"


_OTHER_CHARS = 2_000


def _rules(target: Target, max_chars: int) -> str:
    rules = [f"- It may have up to {max_chars} characters."]
    if target.placeholders:
        names = target.written(target.placeholders)
        rules.append(f"- These placeholders must stand in it as they are, and no others: {names}.")
    if target.roles is not None:
        rules.append(
            '- Keep every message between its <message role="..."> and </message>, in this order.'
        )
    return "\n".join(rules)
