from collections.abc import Mapping, Sequence

import numpy as np
import orjson
import pytest

from tau.domain.ids import ResourcesHash
from tau.scoring.blocks import blocks, hashed_order
from tau.scoring.contest import ContestStanding, ranked
from tau.scoring.halving import Halving, Stage, plan_halving, rollouts_of
from tau.scoring.racing import Race
from tau.scoring.table import ScoreRow, ScoreTable
from unit.scoring.populations import examples, name, table

Contest = Halving | Race
Truth = Mapping[ResourcesHash, Sequence[float | None]]


def play(contest: Contest, truth: Truth) -> tuple[ContestStanding, int]:
    """Answer every wave; the final standing, and how many evaluations it took."""
    standing, known = contest.start(), ScoreTable()
    asked = 0
    while wave := contest.wave(standing, known):
        assert len(set(wave)) == len(wave)
        asked += len(wave)
        known = known.adding(
            ScoreRow(
                candidate=candidate,
                example=found,
                replicate=replicate,
                score=truth[candidate][contest.order.index(found)],
            )
            for candidate, (found, replicate) in wave
        )
        standing = contest.advance(standing, known)
    assert standing.reason is not None
    assert contest.advance(standing, known) == standing
    return standing, asked


def population(rates: Sequence[float], n: int, seed: int) -> dict[ResourcesHash, list[float]]:
    """Right and wrong answers whose means over the n examples are as close to `rates` as can be."""
    rng = np.random.default_rng(seed)
    difficulty = rng.normal(0, 1, n)
    truth = {}
    for k, rate in enumerate(rates):
        best = np.argsort(difficulty + rng.normal(0, 1, n))[: round(rate * n)]
        truth[name(f"c{k}")] = np.isin(np.arange(n), best).astype(float).tolist()
    return truth


RATES = [0.75, *(0.4 + 0.02 * k for k in range(11))]


def halving(rollouts: int, n: int = 100, replicates: int = 1) -> Halving:
    return Halving(
        candidates=tuple(name(f"c{k}") for k in range(len(RATES))),
        order=examples(n),
        stages=plan_halving(len(RATES), n, rollouts, replicates=replicates),
        replicates=replicates,
    )


def race(n: int = 100, **settings: float | int | None) -> Race:
    return Race(
        candidates=tuple(name(f"c{k}") for k in range(len(RATES))),
        order=examples(n),
        block=10,
        **settings,  # type: ignore[arg-type]
    )


@pytest.mark.parametrize("candidates", [2, 3, 8, 25, 100])
@pytest.mark.parametrize("examples", [1, 10, 100, 500])
@pytest.mark.parametrize("replicates", [1, 3])
def test_a_plan_takes_nearly_all_it_may_and_never_more(
    candidates: int, examples: int, replicates: int
) -> None:
    everything = candidates * examples * replicates
    for share in (0.0, 0.1, 0.2, 0.5, 1.0, 2.0):
        rollouts = max(candidates * replicates, round(share * everything))

        stages = plan_halving(candidates, examples, rollouts, replicates=replicates)
        taken = rollouts_of(stages, replicates=replicates)

        assert taken <= rollouts
        assert stages[0].candidates == candidates
        assert stages[-1].examples <= examples
        sizes = [stage.candidates for stage in stages]
        prefixes = [stage.examples for stage in stages]
        assert sizes == sorted(set(sizes), reverse=True)
        assert prefixes == sorted(set(prefixes))
        # What is left is too little for the last stage, or there is nothing left to evaluate.
        left = rollouts - taken
        assert left < sizes[-1] * replicates or prefixes[-1] == examples


def test_a_budget_too_small_is_told_with_what_would_do() -> None:
    with pytest.raises(ValueError, match="at least 24 rollouts"):
        plan_halving(12, 50, 23, replicates=2)
    with pytest.raises(ValueError, match="at least 2 candidates"):
        plan_halving(1, 50, 50)


@pytest.mark.parametrize("replicates", [1, 2])
def test_halving_asks_for_exactly_what_was_planned(replicates: int) -> None:
    contest = halving(400, replicates=replicates)

    standing, asked = play(contest, population(RATES, 100, 1))

    assert asked == rollouts_of(contest.stages, replicates=replicates) == standing.spent <= 400
    assert standing.leader == name("c0")


def test_halving_mostly_finds_the_best() -> None:
    found = sum(
        play(halving(300), population(RATES, 100, seed))[0].leader == name("c0")
        for seed in range(60)
    )

    assert found >= 54


def test_everyone_left_shares_one_prefix() -> None:
    contest = halving(300)
    standing, known = contest.start(), ScoreTable()
    truth = population(RATES, 100, 3)
    while wave := contest.wave(standing, known):
        prefix = set(contest.order[: standing.examples])
        known = known.adding(
            ScoreRow(candidate=c, example=e, score=truth[c][contest.order.index(e)])
            for c, (e, _) in wave
        )
        for candidate in standing.alive:
            assert {e for e, _ in known[candidate].cells} == prefix
        standing = contest.advance(standing, known)


def test_a_dropped_tail_leaves_prefixes_that_differ_by_one_example_at_most() -> None:
    contest = halving(300)
    wave = contest.wave(contest.start(), ScoreTable())
    for end in range(len(wave)):
        counts = [sum(c == other for c, _ in wave[:end]) for other in contest.candidates]

        assert max(counts) - min(counts) <= 1


@pytest.mark.parametrize("contest", [halving(300), race()])
def test_a_contest_goes_on_from_its_json(contest: Contest) -> None:
    truth = population(RATES, 100, 5)
    whole, _ = play(contest, truth)
    standing, known = contest.start(), ScoreTable()
    while wave := contest.wave(standing, known):
        # Half of the wave arrives, then everything is saved and read again.
        for part in (wave[: len(wave) // 2], wave[len(wave) // 2 :]):
            known = known.adding(
                ScoreRow(candidate=c, example=e, score=truth[c][contest.order.index(e)])
                for c, (e, _) in part
            )
            standing = contest.advance(standing, known)
            known = ScoreTable.from_json(orjson.loads(orjson.dumps(known.to_json())))
            standing = ContestStanding.from_json(orjson.loads(orjson.dumps(standing.to_json())))

    assert standing == whole


def test_known_scores_are_not_asked_for_again() -> None:
    contest = halving(300)
    known = table({"c0": [1.0] * 100})

    assert name("c0") not in {candidate for candidate, _ in contest.wave(contest.start(), known)}


@pytest.mark.parametrize("contest", [halving(300), race()])
def test_missing_scores_do_not_stop_a_contest(contest: Contest) -> None:
    truth: dict[ResourcesHash, list[float | None]] = {
        candidate: [None if (n + k) % 7 == 0 else score for n, score in enumerate(row)]
        for k, (candidate, row) in enumerate(population(RATES, 100, 2).items())
    }
    truth[name("c5")] = [None] * 100

    standing, _ = play(contest, truth)

    assert standing.leader == name("c0")


def test_ranking_does_not_reward_missing_the_hard_examples() -> None:
    known = table({"a": [1, 1, 1, 0, 0], "b": [1, 1, 0, None, None], "c": [0] * 5, "d": [None] * 5})
    names = [name(each) for each in "abcd"]

    assert ranked(known, names, examples(5)) == (name("a"), name("b"), name("c"), name("d"))


def test_equals_keep_their_order() -> None:
    known = table({each: [1.0, 0.0] for each in "cab"})

    assert ranked(known, [name(each) for each in "bca"], examples(2)) == tuple("bca")


def test_racing_ends_with_the_best_when_it_may_go_on() -> None:
    standing, asked = play(race(n=200), population(RATES, 200, 1))

    assert standing.alive == (name("c0"),)
    assert standing.reason == "one_left"
    assert asked == standing.spent < 0.9 * 200 * len(RATES)


@pytest.mark.parametrize("rollouts", [12, 13, 119, 130, 500, 5000])
def test_racing_keeps_to_its_budget(rollouts: int) -> None:
    standing, asked = play(race(rollouts=rollouts), population(RATES, 100, 4))

    assert asked == standing.spent <= rollouts
    if standing.reason == "budget":
        assert rollouts - asked < len(standing.alive)


def test_racing_stops_where_the_rest_is_within_tolerance() -> None:
    truth = population([0.8, 0.8, 0.8, 0.3], 300, 8)
    contest = Race(candidates=tuple(truth), order=examples(300), block=20, tolerance=0.1)

    standing, asked = play(contest, truth)

    assert standing.reason == "tolerance"
    assert name("c3") not in standing.alive
    assert asked < 4 * 300


def test_racing_seldom_loses_the_best_however_often_it_looks() -> None:
    lost = 0
    for seed in range(30):
        truth = population([0.52, 0.5, 0.5, 0.5, 0.5, 0.49], 60, seed)
        contest = Race(candidates=tuple(truth), order=examples(60), block=2, alpha=0.2)
        lost += play(contest, truth)[0].leader != name("c0")

    assert lost / 30 <= 0.2


def test_at_the_end_of_the_examples_the_best_of_all_is_taken() -> None:
    truth = population([0.50, 0.51, 0.49], 100, 3)
    contest = Race(candidates=tuple(truth), order=examples(100), block=7, alpha=1e-9)

    assert play(contest, truth)[0].alive == (name("c1"),)


def test_equals_stay_to_the_end() -> None:
    truth = {name(each): [1.0, 0.0] * 20 for each in "ab"}
    contest = Race(candidates=tuple(truth), order=examples(40), block=10)

    standing, _ = play(contest, truth)

    assert standing.reason == "examples"
    assert standing.alive == (name("a"), name("b"))


@pytest.mark.parametrize("contest", [halving(300), race()])
def test_stopping_early_ranks_what_is_known(contest: Contest) -> None:
    truth = population(RATES, 100, 5)
    known = ScoreTable.of(
        ScoreRow(candidate=c, example=e, score=truth[c][contest.order.index(e)])
        for c, (e, _) in contest.wave(contest.start(), ScoreTable())[:60]
    )

    stopped = contest.stopped(contest.start(), known, "cancelled")

    assert stopped.reason == "cancelled"
    assert stopped.alive == ranked(known, contest.candidates, contest.order[:5])
    assert contest.wave(stopped, known) == ()


@pytest.mark.parametrize(
    "contest",
    [
        Race(candidates=(name("a"),), order=examples(3), block=1),
        Race(candidates=(name("a"), name("b")), order=(), block=1),
        Race(candidates=(name("a"), name("b")), order=examples(3), block=0),
        Race(candidates=(name("a"), name("b")), order=examples(3), block=1, rollouts=1),
    ],
)
def test_an_impossible_race_is_told(contest: Race) -> None:
    with pytest.raises(ValueError, match="a race "):
        contest.start()


@pytest.mark.parametrize("state", [None, {}, {"alive": []}, {"alive": [3], "looks": 1}])
def test_other_json_is_no_standing(state: object) -> None:
    with pytest.raises(ValueError, match="not the standing"):
        ContestStanding.from_json(state)  # type: ignore[arg-type]


def test_stages_count_nested_prefixes_once() -> None:
    stages = (Stage(candidates=8, examples=5), Stage(candidates=4, examples=15))

    assert rollouts_of(stages, replicates=2) == 2 * (8 * 5 + 4 * 10)


def test_the_hashed_order_depends_on_the_ids_alone() -> None:
    found = hashed_order(examples(50), 7, "race")

    assert hashed_order(examples(50)[::-1], 7, "race") == found
    assert sorted(found) == sorted(examples(50))
    assert hashed_order(examples(50), 8, "race") != found != hashed_order(examples(50), 7, "other")


def test_an_example_more_leaves_the_others_in_their_order() -> None:
    more = hashed_order(examples(51), 7, "race")

    assert tuple(each for each in more if each in examples(50)) == hashed_order(
        examples(50), 7, "race"
    )


def test_blocks_hold_everything_once() -> None:
    assert [len(block) for block in blocks(examples(7), 3)] == [3, 3, 1]
    assert sum(blocks(examples(7), 3), ()) == examples(7)
    with pytest.raises(ValueError, match="at least 1"):
        blocks(examples(7), 0)
