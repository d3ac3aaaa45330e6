"""Where a call goes, and with which headers."""

from collections.abc import Mapping
from urllib.parse import urlsplit

import pytest

from tau import plugins
from tau.errors import InputError, MissingKey
from tau.models.endpoint import Endpoint, Settings, resolve
from tau.models.openai import OpenAICompatible
from tau.models.providers import PROVIDERS
from tau.ports.model import ModelContext

KEY = "sk-canary-0123456789"


def where(
    provider: str = "openai", *, settings: Settings | None = None, name: str = "m",
    base_url: str | None = None,
    environ: Mapping[str, str] | None = None, **more: str,
) -> Endpoint:  # fmt: skip
    context = ModelContext(
        provider=provider, name=name, environ={**(environ or {}), **more}, base_url=base_url
    )
    return resolve(settings or Settings(), context)


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ("https://h", "https://h/v1/chat/completions"),
        ("https://h/", "https://h/v1/chat/completions"),
        ("https://h/v1", "https://h/v1/chat/completions"),
        ("https://h/v1/", "https://h/v1/chat/completions"),
        ("https://h/v1//", "https://h/v1/chat/completions"),
        ("http://h:8080/api/v2", "http://h:8080/api/v2/chat/completions"),
        ("https://h/v1/chat/completions", "https://h/v1/chat/completions"),
        ("https://h/v1?tenant=a%20b", "https://h/v1/chat/completions?tenant=a%20b"),
        ("https://h/v1#part", "https://h/v1/chat/completions"),
        ("  https://h/v1  ", "https://h/v1/chat/completions"),
        ("http://[::1]:9/v1", "http://[::1]:9/v1/chat/completions"),
    ],
)
def test_base_urls_are_completed(given: str, expected: str) -> None:
    assert where(base_url=given, OPENAI_API_KEY=KEY).url == expected


@pytest.mark.parametrize(
    "given",
    [
        "", "h/v1", "//h/v1", "ftp://h/v1", "file:///etc/passwd", "https://", "https:///v1",
        "https://user:hunter2@h/v1", "https://hunter2@h/v1", "https://h:port/v1", "https://[::1/v1",
        "https://h/a b", "https://h/\x1b[31m", "https://h/" + "x" * 3000, "unix:/run/hunter2",
    ],
)  # fmt: skip
def test_unusable_base_urls_are_refused_without_repeating_them(given: str) -> None:
    with pytest.raises(InputError) as caught:
        where(base_url=given, OPENAI_API_KEY=KEY)

    assert caught.value.fix
    assert "hunter2" not in f"{caught.value} {caught.value.fix} {caught.value!r}"
    assert "\x1b" not in str(caught.value)


def test_a_given_base_url_comes_before_the_environment_and_that_before_the_table() -> None:
    environ = {"OPENAI_API_KEY": KEY, "OPENAI_BASE_URL": "http://env/v1"}

    assert where(base_url="http://given/v1", environ=environ).url.startswith("http://given/")
    assert where(environ=environ).url.startswith("http://env/")
    assert where(OPENAI_API_KEY=KEY).url == "https://api.openai.com/v1/chat/completions"


@pytest.mark.parametrize("provider", [name for name, row in PROVIDERS.items() if row.key_needed])
@pytest.mark.parametrize("value", [None, "", "  \n"])
def test_a_missing_key_is_named_with_where_to_set_it(provider: str, value: str | None) -> None:
    variable = PROVIDERS[provider].key_variables[0]
    environ = {} if value is None else {variable: value}
    context = ModelContext(provider=provider, name="m", environ=environ, base_url="https://h/v1")
    with pytest.raises(MissingKey) as caught:
        OpenAICompatible.check(Settings(), context)

    assert variable in str(caught.value)
    assert f"export {variable}=" in (caught.value.fix or "")


@pytest.mark.parametrize("key", [KEY + "\x00", "two words", "schlüssel", KEY + "\r\nX-Evil: 1"])
def test_a_key_that_cannot_be_sent_is_refused_unseen(key: str) -> None:
    with pytest.raises(MissingKey) as caught:
        where(OPENAI_API_KEY=key)

    assert "OPENAI_API_KEY" in str(caught.value)
    assert key not in f"{caught.value} {caught.value.fix}"


def test_blanks_around_a_key_are_no_part_of_it() -> None:
    assert where(OPENAI_API_KEY=f" {KEY}\n").headers["Authorization"] == f"Bearer {KEY}"


def test_only_the_providers_own_key_is_sent() -> None:
    environ = {f"{name.upper()}_API_KEY": f"key-of-{name}" for name in PROVIDERS}
    for name in ("openai", "groq", "mistral"):
        headers = " ".join(where(name, environ=environ).headers.values())

        assert [other for other in PROVIDERS if f"key-of-{other}" in headers] == [name]


def test_local_servers_need_no_key() -> None:
    assert "Authorization" not in where("ollama").headers
    assert where("ollama", OLLAMA_API_KEY=KEY).headers["Authorization"] == f"Bearer {KEY}"


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ("127.0.0.1:9999", "http://127.0.0.1:9999/v1/chat/completions"),
        ("gpu-box", "http://gpu-box:11434/v1/chat/completions"),
        ("0.0.0.0", "http://127.0.0.1:11434/v1/chat/completions"),
        (":7777", "http://127.0.0.1:7777/v1/chat/completions"),
        ("https://gpu.example/v1", "https://gpu.example/v1/chat/completions"),
    ],
)
def test_ollama_host_is_read_as_ollama_reads_it(given: str, expected: str) -> None:
    assert where("ollama", OLLAMA_HOST=given).url == expected


def test_azure_speaks_its_own_dialect() -> None:
    environ = {"AZURE_OPENAI_API_KEY": KEY, "AZURE_OPENAI_ENDPOINT": "https://r.openai.azure.com/"}
    current = where("azure", name="my dep", environ=environ)
    dated = where("azure", name="my dep", OPENAI_API_VERSION="2024-10-21", environ=environ)

    assert current.url == "https://r.openai.azure.com/openai/v1/chat/completions"
    assert current.headers["api-key"] == KEY
    assert "Authorization" not in current.headers
    assert dated.url == (
        "https://r.openai.azure.com/openai/deployments/my%20dep/chat/completions"
        "?api-version=2024-10-21"
    )


@pytest.mark.parametrize("provider", ["azure", "openai-compatible"])
def test_a_base_url_that_must_be_given_is_asked_for(provider: str) -> None:
    with pytest.raises(InputError) as caught:
        where(provider, AZURE_OPENAI_API_KEY=KEY)

    assert PROVIDERS[provider].url_variables[0] in (caught.value.fix or "")


@pytest.mark.parametrize("name", ["", " ", " m", "m\n", "m\x1b[0m", "m" * 501])
def test_unusable_model_names_are_refused(name: str) -> None:
    with pytest.raises(InputError) as caught:
        where(name=name, OPENAI_API_KEY=KEY)

    assert str(caught.value).isprintable()


@pytest.mark.parametrize(
    "name",
    ["Authorization", "authorization", "Proxy-Authorization", "api-key", "X-API-Key", "Cookie",
     "x-auth-token", "X-Goog-Api-Key", "client_secret", "Host", "Content-Length", "a b", ""],
)  # fmt: skip
def test_headers_that_are_not_the_users_to_set(name: str) -> None:
    with pytest.raises(InputError) as caught:
        where(settings=Settings(headers={name: "hunter2"}), OPENAI_API_KEY=KEY)

    assert "hunter2" not in f"{caught.value} {caught.value.fix}"


@pytest.mark.parametrize("value", ["a\r\nb", "ü", "\x00"])
def test_header_values_must_be_printable(value: str) -> None:
    for settings in (Settings(headers={"X-Team": value}), Settings(organization=value)):
        with pytest.raises(InputError):
            where(settings=settings, OPENAI_API_KEY=KEY)


def test_extra_headers_and_organization_go_along() -> None:
    settings = Settings(headers={"X-Team": "blue"}, organization="org-1", project="p-1")
    headers = where(settings=settings, OPENAI_API_KEY=KEY).headers

    assert headers["X-Team"] == "blue"
    assert headers["OpenAI-Organization"] == "org-1"
    assert headers["OpenAI-Project"] == "p-1"


@pytest.mark.parametrize(
    ("environ", "expected"),
    [
        ({"HTTPS_PROXY": "http://proxy:3128"}, "http://proxy:3128"),
        ({"https_proxy": "proxy:3128"}, "http://proxy:3128"),
        ({"ALL_PROXY": "http://proxy:1"}, "http://proxy:1"),
        ({"HTTP_PROXY": "http://proxy:1"}, None),
        ({"HTTPS_PROXY": "http://proxy:1", "NO_PROXY": "api.openai.com"}, None),
        ({"HTTPS_PROXY": "http://proxy:1", "NO_PROXY": "other, .openai.com"}, None),
        ({"HTTPS_PROXY": "http://proxy:1", "NO_PROXY": "*"}, None),
        ({"HTTPS_PROXY": "http://proxy:1", "NO_PROXY": "evil-openai.com,ai.com"}, "http://proxy:1"),
        ({"HTTPS_PROXY": "http://proxy:1", "NO_PROXY": " ,"}, "http://proxy:1"),
    ],
)
def test_proxies_are_taken_as_other_clients_take_them(
    environ: dict[str, str], expected: str | None
) -> None:
    assert where(OPENAI_API_KEY=KEY, environ=environ).proxy == expected


def test_loopback_is_reached_directly_and_proxies_can_be_switched_off() -> None:
    environ = {"HTTPS_PROXY": "http://proxy:1", "HTTP_PROXY": "http://proxy:1"}

    assert where("ollama", environ=environ).proxy is None
    assert where("vllm", base_url="http://localhost:8000", environ=environ).proxy is None
    settings = Settings(proxy_from_environment=False)
    assert where(settings=settings, OPENAI_API_KEY=KEY, environ=environ).proxy is None


def test_an_unusable_proxy_is_not_silently_gone_around() -> None:
    with pytest.raises(InputError) as caught:
        where(OPENAI_API_KEY=KEY, ALL_PROXY="socks5://user:hunter2@proxy:1")

    assert "hunter2" not in f"{caught.value} {caught.value.fix}"


def test_an_endpoint_does_not_show_its_secrets() -> None:
    found = where(OPENAI_API_KEY=KEY, HTTPS_PROXY="http://u:hunter2@proxy:1")

    assert KEY not in repr(found)
    assert "hunter2" not in repr(found)
    assert found.secrets == (KEY, "hunter2")


def test_the_table_and_the_entry_points_name_the_same_providers() -> None:
    assert set(PROVIDERS) | {"sim", "replay"} == set(plugins.names(plugins.MODELS))


@pytest.mark.parametrize("name", PROVIDERS)
def test_rows_are_complete(name: str) -> None:
    row = PROVIDERS[name]
    if row.base_url is not None:
        parts = urlsplit(row.base_url)

        assert parts.path == row.root
        assert parts.scheme == ("http" if row.local else "https")
    assert row.key_variables
    assert row.url_variables
    assert not (row.local and row.prices)
