"""The figures that fix the world; a change here is a different world."""

from dataclasses import dataclass, fields, replace


@dataclass(frozen=True, slots=True, kw_only=True)
class WorldConstants:
    """Everything numeric about the world, besides its seed. Shares and chances are 0..1.

    Fixed before any optimizer was tuned on it; a test pins the values and their hash.
    """

    # --- the tasks
    rules: int = 10
    """Rules in force in one world, out of the catalogue; each in one of its variants."""
    rules_per_case: tuple[float, ...] = (0.06, 0.46, 0.30, 0.14, 0.04)
    """Share of cases that need 0, 1, 2, ... rules."""
    rarest_rule: float = 0.20
    """How often the rarest rule is needed relative to the commonest; linear in between."""

    # --- answering
    follow: float = 0.985
    """Chance that a rule stated in the prompt is followed where it applies."""
    guess: float = 0.03
    """Chance that the right form is met without knowing the rule."""
    contradicted: float = 0.45
    """What is left of following a rule that the prompt also contradicts or negates."""
    easy_slip: float = 0.02
    hard_slip: float = 0.17
    """Chance of a slip whatever the prompt says: between these two, fixed for each case."""
    demonstration: float = 0.55
    """Chance to grasp a rule from one demonstration that applies it; more add up."""

    # --- dilution
    free_words: int = 260
    """Words a prompt may have, demonstrations apart, before attention suffers."""
    words_scale: float = 900.0
    """Words beyond that which reduce attention by the factor e."""
    free_idle_sentences: int = 6
    """Sentences that state no rule which do no harm."""
    idle_keeps: float = 0.985
    """Attention kept per idle sentence beyond those."""
    least_attention: float = 0.5

    # --- reflecting
    learn_from_hint: float = 0.70
    """Chance to write down a rule that the feedback states in words."""
    learn_from_expected: float = 0.25
    """Chance to infer a rule from an expected answer."""
    learn_from_score: float = 0.04
    """Chance to think of a rule from nothing but a failed case in which it applies."""
    misread: float = 0.18
    """Share of what is written down that gets the rule wrong (another variant)."""
    vague: float = 0.35
    """Chance of an empty warning instead of a rule that was not understood."""
    attention_span: int = 8
    """Pieces of evidence a reflection can weigh; more share the same attention."""
    drop: float = 0.14
    """Chance to lose a rule that stood in the instruction."""
    garble: float = 0.03
    """Chance to blur a rule that stood in the instruction."""
    rephrase: float = 0.20
    """Chance to say a rule that stood in the instruction in other words."""
    correct_wrong: float = 0.60
    """Chance to remove a wrong statement when the right one is learnt."""
    memorise: float = 0.08
    """Chance to write a shown answer into the instruction, where it helps no other case."""
    filler: float = 0.30
    """Chance to add a sentence of general advice."""
    trim: float = 0.10
    """Chance to leave out a sentence that states no rule."""

    def with_noise(self, noise: float) -> "WorldConstants":
        """Scale what makes answers random; 0 leaves only the rules, 1 is the world as it is."""
        return replace(
            self,
            follow=1 - (1 - self.follow) * noise,
            guess=self.guess * noise,
            easy_slip=min(1.0, self.easy_slip * noise),
            hard_slip=min(1.0, self.hard_slip * noise),
        )

    def as_dict(self) -> dict[str, float | list[float]]:
        """The values by name, for records and reports."""
        values = {f.name: getattr(self, f.name) for f in fields(self)}
        return {k: list(v) if isinstance(v, tuple) else v for k, v in values.items()}


WORLD_CONSTANTS = WorldConstants()
