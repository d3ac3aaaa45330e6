"""The world cannot drift unnoticed."""

import hashlib

import orjson

from tau.domain.chat import Message
from tau.domain.dataset import Split
from tau.domain.json import content_hash
from tau.sim.constants import WORLD_CONSTANTS
from tau.sim.simulator import Simulator
from tau.sim.world import World

CONSTANTS = "4e640d4bc21c28ac27fbe9eafa06ee5be61fedc94ec6635e5bdb26e94cda0317"
ROWS = "4b762577c08c7bc52ad48cf0d3209c814647b4fe9afff6e455a7fb20859dd5a6"
ANSWERS = "4a5182749f16e8b6d5ed399a7ad4c42ff8adc1a6103a7fc4533713ac27f316c5"


def test_constants_are_those_that_were_fixed() -> None:
    assert content_hash(WORLD_CONSTANTS.as_dict()) == CONSTANTS


def test_worlds_are_those_that_were_fixed() -> None:
    digest = hashlib.sha256()
    for seed in range(20):
        world = World(seed)
        digest.update(world.full_prompt().encode())
        for split in Split:
            for row in world.examples(split, 10):
                digest.update(orjson.dumps(row))

    assert digest.hexdigest() == ROWS


def test_the_model_is_the_one_that_was_fixed() -> None:
    digest = hashlib.sha256()
    simulator = Simulator(seed=7)
    for seed in range(5):
        world = World(seed)
        prompt = world.full_prompt()
        for case in world.cases(Split.TEST, 20):
            task = [Message(role="system", content=prompt), Message(role="user", content=case.text)]
            reflection = f"Write a new instruction.\n```\n{prompt}\n```\nFailed: {case.text}\nWrong"
            for messages in (task, [Message(role="user", content=reflection)]):
                reply = simulator.answer(messages, simulator.number(messages))
                digest.update(reply.text.encode())

    assert digest.hexdigest() == ANSWERS


def test_noise_scales_chance_only() -> None:
    silent = WORLD_CONSTANTS.with_noise(0)

    assert (silent.follow, silent.guess, silent.easy_slip, silent.hard_slip) == (1, 0, 0, 0)
    assert WORLD_CONSTANTS.with_noise(1).as_dict() == WORLD_CONSTANTS.as_dict()
    assert silent.rules_per_case == WORLD_CONSTANTS.rules_per_case
