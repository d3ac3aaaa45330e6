"""Which error a provider's error becomes."""

from typing import Any

import pytest

from tau.domain.failure import FailureClass
from tau.domain.json import Json
from tau.errors import (
    AuthenticationFailed,
    ContentFiltered,
    ContextTooLong,
    ModelError,
    ModelNotFound,
    ModelTimeout,
    Overloaded,
    QuotaExhausted,
    RateLimited,
    RequestRejected,
    ServerFailed,
)
from tau.models.complaints import fault_in
from tau.models.faults import kind_of


def kind(body: Any, status: int) -> type[ModelError]:  # noqa: ANN401
    return kind_of(fault_in(body), status)


def openai(message: str = "", code: Any = None, kind: Any = None) -> dict[str, Any]:  # noqa: ANN401
    return {"error": {"message": message, "type": kind, "param": None, "code": code}}


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        (400, RequestRejected), (401, AuthenticationFailed), (402, QuotaExhausted),
        (403, AuthenticationFailed), (404, ModelNotFound), (405, RequestRejected),
        (408, ModelTimeout), (409, ServerFailed), (413, ContextTooLong), (418, RequestRejected),
        (422, RequestRejected), (425, ServerFailed), (429, RateLimited), (498, Overloaded),
        (500, ServerFailed), (501, ServerFailed), (502, ServerFailed), (503, Overloaded),
        (504, ServerFailed), (520, ServerFailed), (524, ServerFailed), (529, Overloaded),
        (599, ServerFailed), (301, RequestRejected), (307, RequestRejected), (200, ServerFailed),
    ],
)  # fmt: skip
def test_by_status_where_nothing_is_said(status: int, expected: type[ModelError]) -> None:
    assert kind(openai("something"), status) is expected
    assert kind_of(None, status) is expected


@pytest.mark.parametrize(
    ("body", "status", "expected"),
    [
        # OpenAI
        (openai("This model's maximum context length is 8192 tokens", "context_length_exceeded",
                "invalid_request_error"), 400, ContextTooLong),
        (openai("You exceeded your current quota", "insufficient_quota", "insufficient_quota"), 429,
         QuotaExhausted),
        (openai("Rate limit reached for requests", "rate_limit_exceeded", "tokens"), 429,
         RateLimited),
        (openai("Incorrect API key provided", "invalid_api_key", "invalid_request_error"), 401,
         AuthenticationFailed),
        (openai("The model `x` does not exist", "model_not_found", "invalid_request_error"), 404,
         ModelNotFound),
        (openai("Unsupported value", "unsupported_value", "invalid_request_error"), 400,
         RequestRejected),
        (openai("The server had an error", None, "server_error"), 500, ServerFailed),
        # Azure
        ({"error": {"code": "content_filter", "status": 400, "message": "filtered", "innererror":
                    {"code": "ResponsibleAIPolicyViolation"}}}, 400, ContentFiltered),
        ({"error": {"code": "DeploymentNotFound", "message": "m"}}, 404, ModelNotFound),
        ({"error": {"code": "429", "message": "Please retry after 6 seconds."}}, 429, RateLimited),
        # Anthropic
        ({"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}}, 529,
         Overloaded),
        ({"type": "error", "error": {"type": "invalid_request_error", "message":
          "prompt is too long: 210000 tokens > 200000 maximum"}}, 400, ContextTooLong),
        ({"type": "error", "error": {"type": "invalid_request_error", "message":
          "Your credit balance is too low to access the API"}}, 400, QuotaExhausted),
        # Google, as a list and with its own status words
        ([{"error": {"code": 429, "status": "RESOURCE_EXHAUSTED", "message":
                     "You exceeded your current quota, please check your plan"}}], 429,
         RateLimited),
        ({"error": {"code": 503, "status": "UNAVAILABLE", "message": "overloaded"}}, 503,
         Overloaded),
        ([{"error": {"code": 400, "status": "INVALID_ARGUMENT", "message":
                     "API key not valid. Please pass a valid API key."}}], 400,
         AuthenticationFailed),
        # OpenRouter: numbers as codes, also inside a 200
        ({"error": {"code": 402, "message": "Insufficient credits"}}, 402, QuotaExhausted),
        ({"error": {"code": 429, "message": "Provider returned error", "metadata":
                    {"raw": "temporarily rate-limited upstream"}}}, 200, RateLimited),
        ({"error": {"code": 502, "message": "Provider returned error"}}, 200, ServerFailed),
        ({"error": {"code": 400, "message": "nope is not a valid model ID"}}, 400, ModelNotFound),
        # Groq
        ({"error": {"message": "Request too large for model in organization on tokens per minute",
                    "type": "tokens", "code": "rate_limit_exceeded"}}, 413, RateLimited),
        ({"error": {"message": "Tool choice is required", "code": "tool_use_failed", "type":
                    "invalid_request_error", "status_code": 400}}, 200, RequestRejected),
        (openai("bad", None, "invalid_request_error"), 200, RequestRejected),
        # DeepSeek, Mistral, vLLM, Ollama, llama.cpp, xAI, FastAPI
        (openai("Insufficient Balance", "invalid_request_error", "unknown_error"), 402,
         QuotaExhausted),
        ({"object": "error", "message": "Service tier capacity exceeded for this model.", "type":
          "service_tier_capacity_exceeded", "code": "3505"}, 429, Overloaded),
        ({"object": "error", "message": "This model's maximum context length is 4096 tokens.",
          "type": "BadRequestError", "code": 400}, 400, ContextTooLong),
        ({"object": "error", "message": "The model `x` does not exist.", "code": 404}, 404,
         ModelNotFound),
        ({"error": {"message": 'model "x" not found, try pulling it first', "type": "api_error"}},
         404, ModelNotFound),
        ({"error": "model 'x' not found"}, 404, ModelNotFound),
        ({"error": {"code": 400, "type": "exceed_context_size_error", "message":
          "the request exceeds the available context size"}}, 400, ContextTooLong),
        ({"code": "Client specified an invalid argument", "error": "Incorrect API key provided"},
         400, AuthenticationFailed),
        ({"detail": [{"loc": ["body", "messages"], "msg": "field required"}]}, 422,
         RequestRejected),
        ({"detail": "Not Found"}, 404, ModelNotFound),
        # a 5xx stays a 5xx, whatever words it uses
        (openai("context length handler crashed"), 500, ServerFailed),
    ],
)  # fmt: skip
def test_by_code_and_words(body: Any, status: int, expected: type[ModelError]) -> None:  # noqa: ANN401
    assert kind(body, status) is expected


@pytest.mark.parametrize(
    "body",
    [None, [], {}, 5, "x", {"choices": []}, {"error": None}, {"error": ""}, {"choices": [], "error":
     None}, {"choices": [{}], "message": "x", "detail": "y"},
     {"choices": [{}], "error": {}}, {"choices": [{}], "error": {"code": 0, "message": "success"}},
     {"choices": [{}], "error": {"message": "", "type": "", "param": "", "code": None}},
     {"choices": [{}], "error": {"code": "0", "msg": "OK"}}, {"choices": [{}], "error": False},
     {"choices": [{}], "base_resp": {"status_code": 0, "status_msg": "success"}},
     {"code": 0, "msg": "success", "data": None}],
)  # fmt: skip
def test_a_body_without_an_error_has_none(body: Any) -> None:  # noqa: ANN401
    assert fault_in(body) is None


@pytest.mark.parametrize(
    ("body", "expected", "words"),
    [
        ({"choices": None, "base_resp": {"status_code": 1008, "status_msg":
          "insufficient balance"}}, QuotaExhausted, "insufficient balance"),
        ({"choices": [], "base_resp": {"status_code": 1002, "status_msg": "rate limit"}},
         RateLimited, "rate limit"),
        ({"code": 500, "msg": "busy", "success": False}, ServerFailed, "busy"),
        ({"code": "429", "msg": "slow down", "success": False}, RateLimited, "slow down"),
        ({"success": False, "errors": [{"code": 10000, "message": "no such account"}]},
         ServerFailed, "no such account"),
        ({"errors": ["out of order"]}, ServerFailed, "out of order"),
        ({"errorCode": "Throttling", "errorMessage": "slow"}, RateLimited, "slow"),
        ({"error_code": 336100, "error_msg": "try later"}, ServerFailed, "try later"),
        ({"ResponseMetadata": {"Error": {"Code": "InvalidApiKey", "Message": "bad key"}}},
         AuthenticationFailed, "bad key"),
        ({"__type": "ThrottlingException", "Message": "too fast"}, RateLimited, "too fast"),
        ({"detail": {"error": "x", "message": "model is gone"}}, ServerFailed, "model is gone"),
        ({"type": "about:blank", "title": "Unavailable", "status": 503}, Overloaded,
         "Unavailable"),
        ({"error": [{"message": "first"}]}, ServerFailed, "first"),
        ({"error": {"message": "x"}, "choices": [{}]}, ServerFailed, "x"),
    ],
)  # fmt: skip
def test_errors_inside_a_success_keep_their_words(
    body: Any,  # noqa: ANN401
    expected: type[ModelError],
    words: str,
) -> None:
    fault = fault_in(body)

    assert fault is not None
    assert fault.message == words
    assert kind_of(fault, 200) is expected


def test_validation_errors_do_not_repeat_the_prompt() -> None:
    detail: Json = [{"loc": ["body", "messages", 0], "msg": "bad", "input": "the secret prompt"}]
    fault = fault_in({"detail": detail})

    assert fault is not None
    assert fault.message == "body.messages.0: bad"


def test_every_model_error_names_a_failure_class() -> None:
    for one in ModelError.__subclasses__():
        assert FailureClass(one.code)
