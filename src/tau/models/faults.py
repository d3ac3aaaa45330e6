"""What went wrong at a provider, as one of our errors: by its own code, its words, its status."""

import re
from collections.abc import Mapping

from tau.errors import (
    AuthenticationFailed,
    ConnectionFailed,
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
from tau.models.complaints import ProviderFault

_CODES: Mapping[type[ModelError], str] = {
    ContextTooLong: "context_length_exceeded context_length exceed_context_size_error"
    " context_window_exceeded prompt_too_long input_too_long max_tokens_exceeded"
    " base_resp_1039",
    QuotaExhausted: "insufficient_quota billing_hard_limit_reached billing_not_active"
    " insufficient_balance insufficient_credits exceeded_current_quota_error quota_exceeded"
    " credit_balance_too_low payment_required billing_error insufficient_user_quota"
    " base_resp_1008 base_resp_2056 arrearage",
    ContentFiltered: "content_filter content_filter_error content_policy_violation moderation"
    " responsibleaipolicyviolation data_inspection_failed moderation_blocked content_blocked"
    " base_resp_1026 base_resp_1027 datainspectionfailed",
    ModelNotFound: "model_not_found deploymentnotfound not_found_error model_not_available"
    " model_not_exist invalid_model unknown_model model_not_supported model_decommissioned",
    RateLimited: "rate_limit_exceeded rate_limit_error rate_limit rate_limited too_many_requests"
    " resource_exhausted throttling ratelimitreached tokens requests throttlingexception"
    " toomanyrequestsexception toomanyrequests base_resp_1002 base_resp_1041",
    Overloaded: "overloaded_error overloaded server_overloaded engine_overloaded unavailable"
    " service_unavailable capacity_exceeded model_overloaded engine_overloaded_error"
    " service_tier_capacity_exceeded",
    AuthenticationFailed: "invalid_api_key authentication_error authentication_failed"
    " permission_error permission_denied access_denied unauthenticated unauthorized forbidden"
    " account_deactivated ip_not_authorized unsupported_country_region_territory"
    " invalid_authentication_error missing_api_key accessdeniedexception invalidapikey"
    " unrecognizedclientexception base_resp_1004 base_resp_2049",
    ServerFailed: "server_error internal_error internal_server_error api_error internal"
    " internalservererror upstream_error internalserverexception base_resp_1000"
    " base_resp_1013 base_resp_1024",
    ModelTimeout: "timeout timeout_error request_timeout deadline_exceeded base_resp_1001",
    RequestRejected: "base_resp_2013 validationexception",
}
_BY_CODE = {code: kind for kind, codes in _CODES.items() for code in codes.split()}

# Tried in this order on what the provider says in words, where its code says nothing.
_WORDS: tuple[tuple[type[ModelError], re.Pattern[str]], ...] = (
    (
        ContextTooLong,
        re.compile(
            r"maximum context length|context (?:length|window|size)|prompt is too long"
            r"|input (?:is )?too long|reduce the length of the (?:messages|prompt)"
            r"|input token count .{0,40}exceeds|exceeds? the .{0,30}(?:maximum|limit).{0,20}tokens",
            re.I,
        ),
    ),
    (
        QuotaExhausted,
        re.compile(
            r"insufficient (?:balance|credits?|funds|quota)|credit balance is too low"
            r"|exceeded your current quota|(?:more|not enough|out of|add) credits",
            re.I,
        ),
    ),
    (
        ContentFiltered,
        re.compile(
            r"content (?:management )?policy|content filter|safety (?:system|filter|settings)"
            r"|(?:flagged|blocked) (?:by|as|for|due to)",
            re.I,
        ),
    ),
    (
        AuthenticationFailed,
        re.compile(r"api key (?:not valid|is invalid|expired)|(?:incorrect|invalid) api key", re.I),
    ),
    (
        ModelNotFound,
        re.compile(
            r"model\b.{0,120}\b(?:not found|does not exist|not exist|is not supported)"
            r"|(?:no such|unknown|invalid) model|not a valid model|no endpoints found",
            re.I,
        ),
    ),
)

_STATUSES: Mapping[int, type[ModelError]] = {
    401: AuthenticationFailed,
    402: QuotaExhausted,
    403: AuthenticationFailed,
    404: ModelNotFound,
    407: ConnectionFailed,
    408: ModelTimeout,
    409: ServerFailed,
    413: ContextTooLong,
    425: ServerFailed,
    429: RateLimited,
    498: Overloaded,  # Groq: flex capacity exceeded
    503: Overloaded,
    529: Overloaded,  # Anthropic
}

FIXES: Mapping[type[ModelError], str] = {
    AuthenticationFailed: "check the provider's key and what it may use",
    ModelNotFound: "check the model's name and the base URL",
    QuotaExhausted: "add credit at the provider, or use another model",
    ContextTooLong: "shorten the prompt, or use a model with a longer context",
}


def kind_of(fault: ProviderFault | None, status: int) -> type[ModelError]:
    """Our class for it. `status` is that of HTTP; an error inside a 200 may name its own."""
    if status == 403 and fault and fault.page:  # a firewall before the provider, not the provider
        return RequestRejected
    told = status if status >= 400 else (fault.status if fault and fault.status else status)
    if fault:
        for code in fault.codes:
            kind = _BY_CODE.get(code)
            if kind and not (kind is ServerFailed and 400 <= told < 500):  # Ollama: 404 `api_error`
                return kind
        if told not in (401, 500, 502, 503, 504, 529):
            for kind, words in _WORDS:
                if words.search(fault.message[:2000]):
                    return kind
    if kind := _STATUSES.get(told):
        return kind
    if fault and told < 300 and "invalid_request_error" in fault.codes:
        return RequestRejected
    return RequestRejected if 300 <= told < 500 else ServerFailed
