"""One call to a chat model: the resources' prompt and the example's."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Annotated, Literal

from annotated_types import Gt, MinLen

from tau.domain.answers import CUT, EMPTY
from tau.domain.chat import Completion, Message, ModelRequest, reason_codes
from tau.domain.dataset import Example
from tau.domain.json import Json
from tau.domain.placeholders import Template, placeholders
from tau.domain.reasoning import without_reasoning
from tau.domain.resources import Resources
from tau.domain.rollout import Output
from tau.errors import AnswerIncomplete, ExampleInvalid, InputError
from tau.executors import template
from tau.ports.cancellable import cancellable
from tau.ports.executor import ExecutorContext
from tau.ports.model import Model
from tau.ports.record import Recorder

_ROLES = ("system", "developer", "user", "assistant")


@dataclass(frozen=True, slots=True, kw_only=True)
class ChatSettings:
    """`resource` names the prompt: a text or a list of chat messages.

    A text is sent as a message of `role`; one that asks for `{prompt}` is the whole user message.
    `timeout_s` bounds a call, within the model's own limit. With `incomplete` as `fail`, answers
    that are empty or cut at the token limit fail instead of being graded: they enter no mean, and
    are zeros only where prompts are compared.
    """

    resource: Annotated[str, MinLen(1)] = "system_prompt"
    role: Literal["system", "developer"] = "system"
    timeout_s: Annotated[float, Gt(0)] | None = None
    incomplete: Literal["grade", "fail"] = "grade"


class ChatExecutor:
    """Fills the prompt's `{placeholders}` from the example and asks the model once.

    The messages sent are the resource's, then those the example brings as `messages`, then the
    example's prompt, unless the resource asks for `{prompt}` somewhere. A resource that takes all
    it needs from other columns is complete for an example without a prompt, and a text is then
    the user's message. Texts of the example are data: they are never taken for templates.
    """

    Settings = ChatSettings

    def __init__(self, settings: ChatSettings, model: Model, context: ExecutorContext) -> None:
        self._settings = settings
        self._model = model
        self._params = context.params
        self._template = context.template
        self._last = _Prompt()
        self.cancellable = cancellable(model)

    @classmethod
    def check(
        cls,
        settings: ChatSettings,
        context: ExecutorContext,
        resources: Resources,
        example: Example | None,
    ) -> None:
        if context.model is None:
            raise InputError(
                "the chat executor needs a model",
                fix="give --model provider/model, or 'model' in the config",
            )
        name = settings.resource
        if name not in resources.values and name != ChatSettings().resource:
            known = ", ".join(sorted(resources.values)) or "none"
            raise InputError(
                f"there is no resource '{name}'", where="executor.resource", fix=f"known: {known}"
            )
        where = f"resources.{name}"
        for message in _prompt(settings, resources, where, context.template):
            if example is not None:
                template.check(
                    message.content, example.fields, where=where, template=context.template
                )

    @classmethod
    def templates(cls, settings: ChatSettings, resources: Resources) -> Mapping[str, str]:
        where = f"resources.{settings.resource}"
        messages = _prompt(settings, resources, where, Template.PYTHON)
        return {where: "\n".join(message.content for message in messages)}

    @classmethod
    def check_row(
        cls,
        settings: ChatSettings,
        context: ExecutorContext,
        resources: Resources,
        example: Example,
    ) -> None:
        cls.build(settings, context)._messages(example, resources)

    @classmethod
    def build(cls, settings: ChatSettings, context: ExecutorContext) -> "ChatExecutor":
        if context.model is None:
            raise InputError("the chat executor needs a model")
        return cls(settings, context.model, context)

    @property
    def calls_per_attempt(self) -> int:
        return 1

    async def execute(self, example: Example, resources: Resources, record: Recorder) -> Output:
        request = ModelRequest(
            messages=self._messages(example, resources),
            params=self._params,
            timeout_s=self._settings.timeout_s,
        )
        output = _output(await record.call(self._model, request))
        if self._settings.incomplete == "fail":
            _refuse_incomplete(output)
        return output

    async def aclose(self) -> None:
        """The model belongs to whoever built it."""

    def _messages(self, example: Example, resources: Resources) -> Sequence[Message]:
        prompt = self._prompt_of(resources)
        messages = [
            replace(m, content=template.fill(m.content, example.fields, self._template))
            if "{" in m.content
            else m
            for m in prompt.messages
        ]
        brought = _brought(example)
        messages += brought
        if "prompt" in prompt.asks_for:
            return messages
        if example.prompt is not None:
            messages.append(Message(role="user", content=example.prompt))
        elif not brought:
            return _complete(messages, prompt, self._template)
        return messages

    def _prompt_of(self, resources: Resources) -> "_Prompt":
        """The resource as messages; a wave's rollouts share one object of resources."""
        if self._last.resources is not resources:
            where = f"resources.{self._settings.resource}"
            found = _prompt(self._settings, resources, where, self._template)
            self._last = _Prompt(
                resources=resources,
                messages=found,
                asks_for=frozenset(
                    name for m in found for name in placeholders(m.content, self._template)
                ),
            )
        return self._last


@dataclass(frozen=True, slots=True, kw_only=True)
class _Prompt:
    resources: Resources | None = None
    messages: tuple[Message, ...] = ()
    asks_for: frozenset[str] = frozenset()


def _prompt(
    settings: ChatSettings, resources: Resources, where: str, template: Template
) -> tuple[Message, ...]:
    """The resource as messages, unfilled. What is neither text nor list is no prompt."""
    value = resources.values.get(settings.resource)
    if isinstance(value, str):
        role = "user" if "prompt" in placeholders(value, template) else settings.role
        return (Message(role=role, content=value),)
    if isinstance(value, Sequence):
        return _parsed(value, InputError, where)
    return ()


def _complete(messages: list[Message], prompt: _Prompt, template: Template) -> list[Message]:
    """What is sent for an example without a prompt: the resource, filled from other columns.

    Providers want a message of the user, so a text alone becomes one.
    """
    if not prompt.asks_for:
        column = template.written("column")
        raise ExampleInvalid(
            "the example has no prompt",
            fix="give it a string 'prompt', or a list 'messages' of {role, content}, or fill the "
            f"prompt from its columns with {column}",
        )
    return [replace(messages[0], role="user")] if len(messages) == 1 else messages


def _brought(example: Example) -> tuple[Message, ...]:
    value = example.fields.get("messages")
    if value is None or isinstance(example.value, str):
        return ()
    if isinstance(value, str) or not isinstance(value, Sequence):
        raise ExampleInvalid("the example's 'messages' are not a list")
    return _parsed(value, ExampleInvalid, "messages")


def _parsed(
    items: Sequence[Json], error: type[InputError] | type[ExampleInvalid], where: str
) -> tuple[Message, ...]:
    messages = []
    for number, item in enumerate(items):
        role = item.get("role") if isinstance(item, Mapping) else None
        content = item.get("content") if isinstance(item, Mapping) else None
        if not isinstance(role, str) or role not in _ROLES or not isinstance(content, str):
            raise error(
                "not a chat message",
                where=f"{where}[{number}]",
                fix=f"write {{role, content}} with a text and a role of {', '.join(_ROLES)}",
            )
        messages.append(Message(role=role, content=content))
    return tuple(messages)


def _refuse_incomplete(output: Output) -> None:
    if CUT in output.reason_codes:
        raise AnswerIncomplete(
            "the answer was cut at the token limit", fix="raise params.max_tokens"
        )
    answer, _ = without_reasoning(output.text)
    if EMPTY in output.reason_codes or not (answer.strip() or output.value):
        raise AnswerIncomplete("the answer was empty")


def _output(completion: Completion) -> Output:
    metadata: dict[str, Json] = {
        "model": completion.model,
        "output_tokens": completion.usage.output_tokens,
    }
    if completion.response_id is not None:
        metadata["response_id"] = completion.response_id
    if completion.refusal is not None:
        metadata["refusal"] = completion.refusal
    calls: list[Json] = [
        {"id": call.id, "name": call.name, "arguments": call.arguments}
        for call in completion.tool_calls
    ]
    return Output(
        text=completion.text,
        value={"tool_calls": calls} if calls else None,
        finish_reason=completion.finish_reason,
        reason_codes=reason_codes(completion),
        metadata=metadata,
    )
