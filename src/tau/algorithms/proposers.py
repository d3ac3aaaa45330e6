"""Ways to ask a model for a better prompt; shared by the algorithms.

A request is a question that waits for its answer. What comes back is read strictly; what cannot be
used is asked for once more, with the reason, and is then a failed proposal: data, not a crash.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from tau.algorithms import templates
from tau.algorithms.bare import UNFENCED, refuse_chatter
from tau.algorithms.evidence import TriedExample, described, standing
from tau.algorithms.fences import answer_in, fence, fenced, unfenced, whole
from tau.algorithms.lines import without_copied
from tau.algorithms.pool import Candidate, child
from tau.algorithms.prompts import PromptParseError, PromptTarget, proposed, shown, surroundings
from tau.algorithms.search_settings import SearchSettings
from tau.algorithms.templates import fill
from tau.algorithms.versions import TriedVersion, described_versions
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
    repair: str = templates.REPAIR


@dataclass(frozen=True, slots=True, kw_only=True)
class ProposalRequest:
    """A question for the reflection model about `target` of `parents[0]`.

    `strategy` says how the answer is used: 'critique' is material for an edit, everything else a
    prompt. `seen_examples` are those shown. `repaired` is set on the second and last try.
    """

    strategy: str
    target: str
    parents: tuple[ResourcesHash, ...]
    messages: tuple[Mapping[str, str], ...]
    seen_examples: frozenset[ExampleId] = frozenset()
    repaired: bool = False
    slot: int = 0

    def request(self, parent: Resources) -> RolloutRequest:
        """As a rollout."""
        said: list[Json] = [dict(one) for one in self.messages]
        return RolloutRequest(
            kind=RolloutKind.PROPOSE,
            resources=parent,
            proposal={"messages": said},
            slot=self.slot,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Proposers:
    """Writes requests and reads answers.

    `examples` are all that may be shown, and of them `columns` beside the prompt. `cheaper` is
    asked of every new prompt. `purpose` says what the application is for, `metric` what each grader
    rewards.
    """

    texts: Texts
    targets: Mapping[str, PromptTarget]
    examples: Mapping[ExampleId, Example]
    max_chars: int
    columns: frozenset[str] = frozenset()
    context: Mapping[str, str] = field(default_factory=dict)
    cheaper: str = ""
    purpose: str = ""
    metric: tuple[str, ...] = ()

    @classmethod
    def of(
        cls,
        settings: SearchSettings,
        targets: Sequence[PromptTarget],
        examples: Sequence[Example],
        *,
        claim: ClaimTerms = BETTER,
        purpose: str = "",
        metric: Sequence[str] = (),
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
            cheaper=templates.cheaper(claim.minimize),
            purpose=purpose,
            metric=tuple(metric),
        )

    def reflect(
        self,
        parent: Candidate,
        target: PromptTarget,
        evidence: Sequence[TriedExample],
        *,
        scores: Sequence[float],
        successes: Sequence[TriedExample] = (),
        versions: Sequence[TriedVersion] = (),
        sibling: int = 0,
    ) -> ProposalRequest:
        """Rewrite the prompt in the light of failures.

        `scores` are those of the examples that the parent was tried on lately, `successes` some of
        what it did right; `sibling` numbers the requests that are made of one parent at a time.
        """
        emphasis = templates.EMPHASES[sibling % len(templates.EMPHASES)]
        right = described(successes, self.examples, self.columns, first=len(evidence) + 1)
        parts = {
            "evidence": described(evidence, self.examples, self.columns),
            "standing": standing(scores),
            "right": str(sum(score >= 1 for score in scores)),
            "seen": str(len(scores)),
            "successes": templates.part("These it does well, and they must stay so:", right),
            "versions": templates.part(
                "These other versions were tried:", described_versions(versions)
            ),
            "emphasis": f"- {emphasis}\n" if emphasis else "",
        }
        tried = (*evidence, *successes)
        return self._request("reflect", self.texts.reflect, (parent,), target, parts, tried)

    def critique(
        self, parent: Candidate, target: PromptTarget, evidence: Sequence[TriedExample]
    ) -> ProposalRequest:
        """A textual gradient: what is wrong with the prompt (R. Pryzant et al., EMNLP 2023)."""
        parts = {"evidence": described(evidence, self.examples, self.columns)}
        return self._request("critique", self.texts.critique, (parent,), target, parts, evidence)

    def edit(
        self,
        parent: Candidate,
        target: PromptTarget,
        evidence: Sequence[TriedExample],
        critique: str,
    ) -> ProposalRequest:
        """Follow a critique."""
        parts = {
            "evidence": described(evidence, self.examples, self.columns),
            "critique": critique.strip()[:_ANSWER_CHARS],
        }
        return self._request("edit", self.texts.edit, (parent,), target, parts, evidence)

    def paraphrase(self, parent: Candidate, target: PromptTarget) -> ProposalRequest:
        """Say the same in other words."""
        return self._request("paraphrase", self.texts.paraphrase, (parent,), target, {}, ())

    def crossover(
        self, first: Candidate, second: Candidate, target: PromptTarget
    ) -> ProposalRequest:
        """Put two prompts together, the first with precedence."""
        other = shown(second.resources, target)
        marks = fence(other, shown(first.resources, target))
        parts = {"second": fenced(other, marks)}
        return self._request("crossover", self.texts.crossover, (first, second), target, parts, ())

    def made(
        self,
        request: ProposalRequest,
        parents: Sequence[Candidate],
        output: Output,
        *,
        generation: int,
    ) -> tuple[Candidate, str]:
        """The candidate an answer stands for, and what is to be noted about it.

        Raises:
            PromptParseError: no single text that is the prompt, or one that breaks its invariants.
        """
        target = self.targets[request.target]
        said = whole(output)
        bare = unfenced(said)
        text = said.strip() if bare else answer_in(said)
        if bare:
            refuse_chatter(text, shown(parents[0].resources, target), target)
        answers = self._answers(request.seen_examples)
        learnt = without_copied(shown(parents[0].resources, target), text, answers)
        resources = proposed(parents[0].resources, target, learnt, max_chars=self.max_chars)
        if resources.hash in {one.hash for one in parents}:
            raise PromptParseError("it is the same as before")
        made = child(
            parents[0],
            resources,
            origin=request.strategy,
            seen_examples=request.seen_examples,
            others=parents[1:],
            generation=generation,
        )
        notes = (UNFENCED if bare else "", COPIED if learnt != text else "")
        return made, "; ".join(note for note in notes if note)

    def _answers(self, seen: frozenset[ExampleId]) -> frozenset[str]:
        """What was shown as right of one example alone, where it is more than a word or two."""
        known = Counter(text for one in self.examples.values() if (text := _expected(one)))
        return frozenset(
            text
            for name in seen
            if name in self.examples
            and (text := _expected(self.examples[name]))
            and len(text) >= _ANSWER_LEAST
            and known[text] == 1
        )

    def repair(self, request: ProposalRequest, answer: str, why: str) -> ProposalRequest:
        """Ask once more, saying why the answer could not be used."""
        marks = fence(request.messages[-1]["content"], answer)
        again = fill(self.texts.repair, {"why": why, "marks": marks})
        said = (_message("assistant", answer[:_ANSWER_CHARS]), _message("user", again))
        return replace(request, messages=(*request.messages, *said), repaired=True)

    def _request(
        self,
        strategy: str,
        template: str,
        parents: tuple[Candidate, ...],
        target: PromptTarget,
        parts: Mapping[str, str],
        evidence: Sequence[TriedExample],
    ) -> ProposalRequest:
        text = shown(parents[0].resources, target)
        marks = fence(text, *parts.values())
        filled = fill(
            template,
            {
                "name": target.name,
                "prompt": fenced(text, marks),
                "purpose": templates.purpose_text(self.purpose),
                "metric": templates.metric_text(self.metric),
                "context": self._context(parents[0].resources, target),
                "rules": _rules(target, self.max_chars) + self.cheaper,
                "marks": marks,
                **parts,
            },
        )
        return ProposalRequest(
            strategy=strategy,
            target=target.name,
            parents=tuple(one.hash for one in parents),
            messages=(_message("user", filled),),
            seen_examples=frozenset(one.example for one in evidence),
        )

    def _context(self, resources: Resources, target: PromptTarget) -> str:
        """The other prompts that are used together with the one in question."""
        place = surroundings(resources, target)[:_OTHER_CHARS]
        here = f"It stands in this object, as '{target.pointer}': {place}\n\n" if place else ""
        others = [one for name, one in self.targets.items() if name != target.name]
        if not others:
            return here
        told: list[str] = []
        room = _OTHERS_CHARS
        for one in others:
            told.append(f"({one.name}) {shown(resources, one)[:_OTHER_CHARS]}")
            room -= len(told[-1])
            if room < 0 and len(told) < len(others):
                told.append(f"({len(others) - len(told)} others are left out)")
                break
        shown_texts = "\n\n".join(told)
        return (
            f"{here}It is used together with these, which are not to be changed now:\n\n"
            f"{shown_texts}\n\n"
        )


COPIED = "lines with the answer of a single example left out"
_OTHER_CHARS = 2_000
_OTHERS_CHARS = 12_000
_ANSWER_LEAST = 12
"""Characters of an answer that a prompt does not hold by chance."""


def _expected(example: Example) -> str:
    return example.expected.strip() if isinstance(example.expected, str) else ""


def _message(role: str, content: str) -> Mapping[str, str]:
    return {"role": role, "content": content}


def _rules(target: PromptTarget, max_chars: int) -> str:
    rules = [f"- It may have up to {max_chars} characters."]
    if target.placeholders:
        names = target.written(target.placeholders)
        rules.append(f"- These placeholders must stand in it as they are, and no others: {names}.")
    if target.roles is not None:
        rules.append(
            '- Keep every message between its <message role="..."> and </message>, in this order.'
        )
    if target.skill:
        rules.append(
            "- Keep the front matter between its lines '---' at the top: only the field "
            "'description' of it may change."
        )
    if target.check is not None:
        rules.append("- It is checked by a program before it is used, and must be valid as it is.")
    return "\n".join(rules)
