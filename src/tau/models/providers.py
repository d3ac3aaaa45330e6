"""Who speaks the OpenAI chat-completions protocol, where, and with which key. Data only."""

from collections.abc import Mapping
from dataclasses import dataclass, field

EXAMPLE_MODEL = "openai/gpt-5.4-mini"
"""The model that messages, help and the starter name where one has to be named."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Provider:
    """One row. The first variable that is set counts; `base_url` None means it must be given.

    `otel_name` is the value of `gen_ai.provider.name`; `prices` the provider's id in genai-prices,
    None where nobody publishes prices. `local` ones run on the user's machine, cost nothing and
    may be named without a scheme (`OLLAMA_HOST=127.0.0.1:11434`). `root` is what a base URL
    without a path gets. `headers` go with every request. `reports_cost`: `usage.cost` is dollars.
    """

    base_url: str | None
    key_variables: tuple[str, ...] = ()
    url_variables: tuple[str, ...] = ()
    key_needed: bool = True
    otel_name: str
    prices: str | None = None
    local: bool = False
    root: str = "/v1"
    key_header: str = "Authorization"
    messages_key_header: str | None = None
    version_variables: tuple[str, ...] = ()
    headers: Mapping[str, str] = field(default_factory=dict)
    reports_cost: bool = False


PROVIDERS: Mapping[str, Provider] = {
    "openai": Provider(
        base_url="https://api.openai.com/v1",
        key_variables=("OPENAI_API_KEY",),
        url_variables=("OPENAI_BASE_URL",),
        otel_name="openai",
        prices="openai",
    ),
    "ollama": Provider(
        base_url="http://127.0.0.1:11434/v1",
        key_variables=("OLLAMA_API_KEY",),
        url_variables=("OLLAMA_BASE_URL", "OLLAMA_HOST"),
        key_needed=False,
        otel_name="ollama",
        local=True,
    ),
    "openrouter": Provider(
        base_url="https://openrouter.ai/api/v1",
        key_variables=("OPENROUTER_API_KEY",),
        url_variables=("OPENROUTER_BASE_URL",),
        otel_name="openrouter",
        prices="openrouter",
        root="/api/v1",
        headers={"X-Title": "tau"},
        reports_cost=True,
    ),
    "groq": Provider(
        base_url="https://api.groq.com/openai/v1",
        key_variables=("GROQ_API_KEY",),
        url_variables=("GROQ_BASE_URL",),
        otel_name="groq",
        prices="groq",
        root="/openai/v1",
    ),
    "mistral": Provider(
        base_url="https://api.mistral.ai/v1",
        key_variables=("MISTRAL_API_KEY",),
        url_variables=("MISTRAL_BASE_URL",),
        otel_name="mistral_ai",
        prices="mistral",
    ),
    "deepseek": Provider(
        base_url="https://api.deepseek.com/v1",
        key_variables=("DEEPSEEK_API_KEY",),
        url_variables=("DEEPSEEK_BASE_URL",),
        otel_name="deepseek",
        prices="deepseek",
    ),
    "together": Provider(
        base_url="https://api.together.xyz/v1",
        key_variables=("TOGETHER_API_KEY",),
        url_variables=("TOGETHER_BASE_URL",),
        otel_name="together",
        prices="together",
    ),
    "fireworks": Provider(
        base_url="https://api.fireworks.ai/inference/v1",
        key_variables=("FIREWORKS_API_KEY",),
        url_variables=("FIREWORKS_BASE_URL",),
        otel_name="fireworks",
        prices="fireworks",
        root="/inference/v1",
    ),
    "xai": Provider(
        base_url="https://api.x.ai/v1",
        key_variables=("XAI_API_KEY",),
        url_variables=("XAI_BASE_URL",),
        otel_name="x_ai",
        prices="x-ai",
    ),
    "anthropic": Provider(
        base_url="https://api.anthropic.com/v1",
        key_variables=("ANTHROPIC_API_KEY",),
        url_variables=("ANTHROPIC_BASE_URL",),
        otel_name="anthropic",
        prices="anthropic",
        messages_key_header="x-api-key",
    ),
    "gemini": Provider(
        base_url="https://generativelanguage.googleapis.com/v1beta/openai",
        key_variables=("GEMINI_API_KEY", "GOOGLE_API_KEY"),
        url_variables=("GEMINI_BASE_URL",),
        otel_name="gcp.gemini",
        prices="google",
        root="/v1beta/openai",
    ),
    "vllm": Provider(
        base_url="http://127.0.0.1:8000/v1",
        key_variables=("VLLM_API_KEY",),
        url_variables=("VLLM_BASE_URL",),
        key_needed=False,
        otel_name="vllm",
        local=True,
    ),
    "lmstudio": Provider(
        base_url="http://127.0.0.1:1234/v1",
        key_variables=("LMSTUDIO_API_KEY",),
        url_variables=("LMSTUDIO_BASE_URL",),
        key_needed=False,
        otel_name="lmstudio",
        local=True,
    ),
    "llamacpp": Provider(
        base_url="http://127.0.0.1:8080/v1",
        key_variables=("LLAMA_API_KEY",),
        url_variables=("LLAMACPP_BASE_URL",),
        key_needed=False,
        otel_name="llamacpp",
        local=True,
    ),
    "azure": Provider(
        base_url=None,
        key_variables=("AZURE_OPENAI_API_KEY",),
        url_variables=("AZURE_OPENAI_ENDPOINT",),
        otel_name="azure.ai.openai",
        prices="azure",
        root="/openai/v1",
        key_header="api-key",
        version_variables=("AZURE_OPENAI_API_VERSION", "OPENAI_API_VERSION"),
    ),
    "openai-compatible": Provider(
        base_url=None,
        key_variables=("OPENAI_COMPATIBLE_API_KEY",),
        url_variables=("OPENAI_COMPATIBLE_BASE_URL",),
        key_needed=False,
        otel_name="openai_compatible",
    ),
}
