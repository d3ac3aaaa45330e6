from hypothesis import given
from hypothesis import strategies as st

from tau.domain.reward import Reward
from tau.scoring.aggregate import summarize
from tau.scoring.detectors import reveals
from tau.scoring.safety import SafetyPolicy, apply_safety

SCORES = st.lists(st.floats(0, 1), min_size=1, max_size=50)
CODES = st.lists(st.sampled_from(["odd", "prompt_injection.x", "secret_leak.y", "other"]))


@given(SCORES)
def test_the_interval_holds_the_mean_and_stays_in_range(scores: list[float]) -> None:
    found = summarize(scores)

    assert 0 <= found.low <= found.mean <= found.high <= 1
    assert found.low < found.high
    assert min(scores) - 1e-12 <= found.mean <= max(scores) + 1e-12


@given(SCORES.flatmap(lambda scores: st.tuples(st.just(scores), st.permutations(scores))))
def test_order_does_not_matter(orders: tuple[list[float], list[float]]) -> None:
    assert summarize(orders[0]) == summarize(orders[1])


@given(SCORES)
def test_more_of_the_same_is_surer(scores: list[float]) -> None:
    once, often = summarize(scores), summarize(scores * 4)

    assert often.high - often.low < once.high - once.low


@given(SCORES, CODES, st.integers(0, 3), st.floats(-2, 0))
def test_safety_never_raises_a_score(
    scores: list[float], codes: list[str], blocked: int, ceiling: float
) -> None:
    rewards = [Reward(name=f"g{n}", score=score) for n, score in enumerate(scores)]
    policy = SafetyPolicy(hard_gate_reward_ceiling=ceiling)

    decision = apply_safety(policy, rewards, reason_codes=codes, blocked_events=blocked)
    after = [reward.score for reward in decision.rewards[: len(scores)]]

    assert all(now is not None and now <= was for now, was in zip(after, scores, strict=True))
    if decision.hard_gate:
        assert all(now is not None and now <= ceiling for now in after)
    else:
        assert after == scores


@given(CODES, CODES)
def test_repeating_codes_changes_nothing(codes: list[str], more: list[str]) -> None:
    def total(given: list[str]) -> float:
        return apply_safety(SafetyPolicy(), [], reason_codes=given, blocked_events=0).penalty_total

    assert total(codes + more + codes) == total(sorted(set(codes + more)))


WORDS = st.lists(st.sampled_from(["rule", "never", "say", "blue", "first", "then"]), max_size=60)


@given(WORDS, WORDS, WORDS)
def test_a_repeated_prompt_is_found_wherever_it_stands(
    before: list[str], prompt: list[str], after: list[str]
) -> None:
    text = ", ".join([*before, *prompt, *after]).upper()

    assert reveals(text, " ".join(prompt)) == (len(prompt) >= 12)
