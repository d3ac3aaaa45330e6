"""Proposals: a reflection model is asked for a better prompt."""

from collections.abc import Mapping, Sequence

from tau.domain.chat import Message, ModelRequest, reason_codes
from tau.domain.json import Json
from tau.domain.resources import Resources
from tau.domain.rollout import Output
from tau.domain.spend import Usage
from tau.errors import ExecutorFailed
from tau.ports.model import Model, Params
from tau.ports.record import Recorder


class Proposer:
    """Sends a proposal's chat messages to the reflection model; what it says is the output.

    A proposal is `{"messages": [{"role", "content"}, ...]}`; what the answer means is up to the
    algorithm that asked.
    """

    def __init__(self, model: Model, params: Params) -> None:
        self._model = model
        self._params = params

    def price(self, usage: Usage) -> int | None:
        """Nano-dollars, as the reflection model has it; None where no price is known."""
        return self._model.price(usage)

    async def propose(self, proposal: Json, resources: Resources, record: Recorder) -> Output:
        """Make the call; `resources` are the parent and already told in the messages.

        Raises:
            ModelError: as the model does.
            ExecutorFailed: the proposal is not of that shape.
        """
        messages = _messages(proposal)
        answer = await record.call(
            self._model, ModelRequest(messages=messages, params=dict(self._params))
        )
        return Output(
            text=answer.text,
            finish_reason=answer.finish_reason,
            reason_codes=reason_codes(answer),
        )


def _messages(proposal: Json) -> list[Message]:
    found = proposal.get("messages") if isinstance(proposal, Mapping) else None
    if not isinstance(found, Sequence) or isinstance(found, str) or not found:
        raise ExecutorFailed("a proposal holds no messages")
    messages = []
    for one in found:
        role = one.get("role") if isinstance(one, Mapping) else None
        content = one.get("content") if isinstance(one, Mapping) else None
        if not isinstance(role, str) or not isinstance(content, str):
            raise ExecutorFailed("a proposal's messages need a role and a content")
        messages.append(Message(role=role, content=content))
    return messages
