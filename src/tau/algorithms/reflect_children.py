"""Children of a reflective search: rewrites made whole again, and those that need no model."""

from collections.abc import Mapping, Sequence

from tau.algorithms.lines import joined, restored, rivals, topic, without
from tau.algorithms.pool import Candidate, CandidatePool, child
from tau.algorithms.prompts import PromptParseError, edited, shown
from tau.algorithms.setup import SearchSetup
from tau.algorithms.turn import Turn
from tau.domain.ids import ResourcesHash
from tau.domain.resources import Resources


def taken_in(setup: SearchSetup, turn: Turn, made: Sequence[Candidate]) -> list[ResourcesHash]:
    """Take children into the pool, with what they lost put back; those that are new."""
    fresh = []
    for one in made:
        parent = turn.pool[one.parents[0]]
        texts = {
            target.name: restored(before, after)
            for target in setup.targets
            if (before := shown(parent.resources, target))
            != (after := shown(one.resources, target))
        }
        whole = _rewritten(setup, one, texts)
        taken = one
        if whole is not None and whole.hash != one.hash:
            taken = child(
                parent,
                whole,
                origin=one.origin,
                seen_examples=one.seen_examples,
                generation=one.generation,
            )
        if turn.add(taken):
            fresh.append(taken.hash)
    return fresh


def complement(pool: CandidatePool, leader: Candidate) -> Candidate | None:
    """Who is right most often where the leader is not; twice at least."""
    scores = pool.table[leader.hash].by_example
    weak = [row for row, score in scores.items() if score < 1]
    found, most = None, 1
    for name in pool.safe(pool.members):
        if name in (leader.hash, pool.baseline):
            continue
        known = pool.table[name].by_example
        better = sum(known.get(row, 0.0) > scores[row] for row in weak)
        if better > most:
            found, most = pool[name], better
    return found


def without_model(
    setup: SearchSetup, turn: Turn, leader: Candidate, generation: int
) -> list[ResourcesHash]:
    """A child that costs no proposal: two complementary parents joined, or a line less."""
    made = (_merged if generation % 2 else _tidied)(setup, turn, leader, generation)
    return [made.hash] if made is not None and turn.add(made) else []


def _merged(setup: SearchSetup, turn: Turn, leader: Candidate, generation: int) -> Candidate | None:
    """The leader with the lines of whoever is best where it fails."""
    other = complement(turn.pool, leader)
    if other is None:
        return None
    texts = {
        target.name: joined(shown(leader.resources, target), shown(other.resources, target))
        for target in setup.targets
    }
    made = _rewritten(setup, leader, texts)
    if made is None:
        return None
    return child(leader, made, origin="merge", others=[other], generation=generation)


def _tidied(setup: SearchSetup, turn: Turn, leader: Candidate, generation: int) -> Candidate | None:
    """The leader without one of two lines about the same thing, where something still fails."""
    failures = turn.pool.failures_of(leader.hash)
    told = frozenset().union(*(topic(one.feedback) for one in failures))
    for target in setup.targets:
        text = shown(leader.resources, target)
        doubtful = [
            line for pair in rivals(text) if all(topic(one) & told for one in pair) for line in pair
        ]
        for line in doubtful:
            made = _rewritten(setup, leader, {target.name: without(text, line)})
            if made is not None and not turn.knows(made):
                return child(leader, made, origin="tidy", generation=generation)
    return None


def _rewritten(setup: SearchSetup, parent: Candidate, texts: Mapping[str, str]) -> Resources | None:
    resources = parent.resources
    for target in setup.targets:
        if target.name not in texts:
            continue
        try:
            resources = edited(
                resources, target, texts[target.name], max_chars=setup.settings.max_chars
            )
        except PromptParseError:
            return None
    return resources
