"""What a model call has spent: as the provider tells it, else as it was reserved."""

from tau.domain.chat import Completion, ModelRequest
from tau.domain.spend import Bill, Spend, Usage
from tau.errors import (
    AuthenticationFailed,
    ModelError,
    ModelNotFound,
    NotConnected,
    Overloaded,
    QuotaExhausted,
    RateLimited,
    RequestRejected,
)
from tau.ports.model import Model

_REFUSALS = (
    AuthenticationFailed, ModelNotFound, NotConnected, Overloaded, QuotaExhausted, RateLimited,
    RequestRejected,
)  # fmt: skip
"""What costs nothing, unless the provider says so. Of other failures nobody knows."""
_BYTES_PER_TOKEN = 4
"""Of text that is there to be counted."""


class Meter:
    """Settles the calls of one attempt. Nothing is assumed where nothing was reserved."""

    def __init__(self, reserved: Spend) -> None:
        """`reserved` is for all calls of the attempt."""
        calls = max(1, reserved.calls)
        tokens, cost = -(-reserved.tokens // calls), -(-reserved.cost_nano_usd // calls)
        self.share = Spend(
            tokens=tokens,
            cost_nano_usd=cost,
            assumed_tokens=tokens,
            assumed_cost_nano_usd=cost,
        )

    def failed(self, error: ModelError) -> Spend:
        """What a call without an answer has spent."""
        free = isinstance(error, _REFUSALS)
        bill = error.bill
        if not isinstance(bill, Bill):
            bill = Bill(tokens_whole=free, cost_whole=free)
        return self._settled(bill, Spend())

    def answered(self, model: Model, request: ModelRequest, completion: Completion) -> Spend:
        """What a call has spent that brought an answer. One of no tokens was not counted."""
        usage, cost = completion.usage, completion.cost_nano_usd
        whole = completion.usage_whole and usage.total_tokens > 0
        if whole:
            return Spend(tokens=usage.total_tokens, cost_nano_usd=cost or 0)
        known = cost if cost is not None else model.price(usage) or 0
        bill = Bill(tokens=usage.total_tokens, cost_nano_usd=known, cost_whole=cost is not None)
        seen = _seen(request, completion)
        least = Spend(tokens=seen.total_tokens, cost_nano_usd=model.price(seen) or 0)
        return self._settled(bill, least)

    def _settled(self, bill: Bill, least: Spend) -> Spend:
        """The larger of what is known, was reserved and can be seen, where not all is known."""
        tokens, cost = bill.tokens, bill.cost_nano_usd
        if not bill.tokens_whole and self.share.tokens:
            tokens = max(tokens, self.share.tokens, least.tokens)
        if not bill.cost_whole and self.share.cost_nano_usd:
            cost = max(cost, self.share.cost_nano_usd, least.cost_nano_usd)
        return Spend(
            tokens=tokens,
            cost_nano_usd=cost,
            assumed_tokens=tokens - bill.tokens,
            assumed_cost_nano_usd=cost - bill.cost_nano_usd,
        )


def _seen(request: ModelRequest, completion: Completion) -> Usage:
    """Tokens by the length of the texts: without a limit an answer may outgrow its share."""
    asked = sum(len(message.content.encode("utf-8", "replace")) for message in request.messages)
    said = len(completion.text.encode("utf-8", "replace"))
    return Usage(input_tokens=asked // _BYTES_PER_TOKEN, output_tokens=said // _BYTES_PER_TOKEN)
