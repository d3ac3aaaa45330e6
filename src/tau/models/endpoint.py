"""Where calls go and with which headers: settings, environment and provider table put together."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from ipaddress import ip_address
from typing import Annotated
from urllib.parse import SplitResult, quote, urlsplit, urlunsplit

from annotated_types import MinLen

from tau.errors import InputError, MissingKey
from tau.models.providers import PROVIDERS, Provider
from tau.models.redaction import is_credential
from tau.ports.model import ModelContext

_SECRET_HEADER = re.compile(r"(^|[-_])(authorization|api[-_]?key|token|secret|cookie2?)$", re.I)
_HEADER_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_OWN_HEADERS = frozenset(
    {"host", "content-length", "content-type", "transfer-encoding", "connection", "accept-encoding"}
)
_UNPRINTABLE = re.compile(r"[^\x20-\x7e]")
_PATH = "/chat/completions"
_URL_FIX = "write it like https://host/v1"


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """Options of the OpenAI-compatible providers.

    `headers` go with every request and never hold a key. `api_version` selects Azure's dated API.
    `proxy_from_environment`: HTTPS_PROXY, HTTP_PROXY, ALL_PROXY and NO_PROXY are honoured, as
    other clients do; loopback addresses are always reached directly.
    """

    headers: Mapping[str, str] = field(default_factory=dict)
    organization: Annotated[str, MinLen(1)] | None = None
    project: Annotated[str, MinLen(1)] | None = None
    api_version: Annotated[str, MinLen(1)] | None = None
    proxy_from_environment: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """A complete address. `headers` and `proxy` may hold secrets; `secrets` lists them."""

    url: str
    shown: str
    headers: Mapping[str, str] = field(repr=False)
    proxy: str | None = field(default=None, repr=False)
    secrets: tuple[str, ...] = field(default=(), repr=False)


def resolve(settings: Settings, context: ModelContext) -> Endpoint:
    """Put together where `context.provider` is called.

    Raises:
        MissingKey: the key is needed and not set.
        InputError: no base URL where one is needed, or an unusable option.
    """
    provider = PROVIDERS[context.provider]
    _check_name(context)
    _check_headers(settings.headers, provider)
    key = _key(provider, context)
    url = _url(provider, settings, context)
    headers = {
        "Content-Type": "application/json",
        "Accept": "application/json",
        **provider.headers,
        **settings.headers,
    }
    if settings.organization:
        headers["OpenAI-Organization"] = _header_value("organization", settings.organization)
    if settings.project:
        headers["OpenAI-Project"] = _header_value("project", settings.project)
    if key:
        plain = provider.key_header != "Authorization"
        headers[provider.key_header] = key if plain else f"Bearer {key}"
    proxy = _proxy(url, context.environ) if settings.proxy_from_environment else None
    password = urlsplit(proxy).password if proxy else None
    given = [value for name, value in settings.headers.items() if is_credential(name, value)]
    return Endpoint(
        url=url,
        shown=url.partition("?")[0],
        headers=headers,
        proxy=proxy,
        secrets=tuple(secret for secret in (key, password, *given) if secret),
    )


def open_endpoint(url: str, where: str, environ: Mapping[str, str]) -> Endpoint:
    """The chat completions at a base URL, with or without `/v1`; whoever calls brings the key.

    Raises:
        InputError: it is no URL; said without repeating it.
    """
    base = _checked(url.strip(), where)
    path = base.path.rstrip("/")
    if not path.endswith(_PATH):
        path = f"{path if path.endswith('/v1') else f'{path}/v1'}{_PATH}"
    whole = urlunsplit((base.scheme, base.netloc, path, base.query, ""))
    return Endpoint(
        url=whole, shown=whole.partition("?")[0], headers={}, proxy=_proxy(whole, environ)
    )


def _check_name(context: ModelContext) -> None:
    name = context.name
    if not name.strip():
        raise InputError(
            f"the model reference '{context.provider}/' names no model",
            fix=f"write {context.provider}/MODEL",
        )
    if name != name.strip() or not name.isprintable() or len(name) > 500:
        raise InputError(
            "the model's name cannot be used",
            why="it has blanks around it, unprintable characters, or more than 500 characters",
        )


def _check_headers(headers: Mapping[str, str], provider: Provider) -> None:
    for name, value in headers.items():
        if not _HEADER_NAME.fullmatch(name):
            raise InputError(f"header {name!r} is not a header name")
        if _SECRET_HEADER.search(name):
            raise InputError(
                f"header '{name}' must not be set in a configuration",
                why="keys belong into the environment",
                fix=f"set {_variables(provider.key_variables)}",
            )
        if name.lower() in _OWN_HEADERS:
            raise InputError(f"header '{name}' cannot be set", why="the client sets it itself")
        _header_value(name, value)


def _header_value(name: str, value: str) -> str:
    if _UNPRINTABLE.search(value):
        raise InputError(f"header '{name}' has a value with unprintable characters")
    return value


def _key(provider: Provider, context: ModelContext) -> str | None:
    for variable in provider.key_variables:
        key = context.environ.get(variable, "").strip()
        if not key:
            continue
        if _UNPRINTABLE.search(key) or " " in key:
            raise MissingKey(
                f"{variable} does not hold a key",
                why="it has blanks or unprintable characters inside",
                fix=f"set it again: export {variable}=...",
            )
        return key
    if not provider.key_needed:
        return None
    raise MissingKey(
        f"{_variables(provider.key_variables)} is not set",
        why=f"'{context.provider}/{context.name}' is called with a key",
        fix=f"export {provider.key_variables[0]}=... in the shell that starts Tau; keys are never "
        "read from a configuration; without a key use ollama/MODEL, or sim/ for a trial",
    )


def _variables(names: tuple[str, ...]) -> str:
    return " or ".join(names)


def _url(provider: Provider, settings: Settings, context: ModelContext) -> str:
    where, given = _base_url(provider, context)
    if provider.local and "://" not in given:
        given = _local(given, provider)
    base = _checked(given, where)
    path = base.path.rstrip("/")
    query = base.query
    version = settings.api_version or _first(provider.version_variables, context.environ)[1]
    if provider.version_variables and version and "/deployments/" not in path:
        deployment = quote(context.name, safe="")
        path = f"{path.removesuffix('/v1').removesuffix('/openai')}/openai/deployments/{deployment}"
        query = query or f"api-version={quote(version)}"
    elif not path:
        path = provider.root
    if not path.endswith(_PATH):
        path += _PATH
    return urlunsplit((base.scheme, base.netloc, path, query, ""))


def _base_url(provider: Provider, context: ModelContext) -> tuple[str, str]:
    """Where the base URL was found, and the base URL."""
    if context.base_url is not None:
        return "base_url", context.base_url.strip()
    variable, value = _first(provider.url_variables, context.environ)
    if value:
        return variable, value
    if provider.base_url is None:
        raise InputError(
            f"'{context.provider}' needs a base URL",
            fix=f"set base_url in the configuration, or {_variables(provider.url_variables)}",
        )
    return context.provider, provider.base_url


def _first(variables: tuple[str, ...], environ: Mapping[str, str]) -> tuple[str, str]:
    """The first variable that is set and its value; ("", "") where none is."""
    for variable in variables:
        if value := environ.get(variable, "").strip():
            return variable, value
    return "", ""


def _local(given: str, provider: Provider) -> str:
    """A full address from `HOST[:PORT]`; 0.0.0.0 is where servers listen, not where they are."""
    host, _, path = given.partition("/")
    if host.startswith(":"):
        host = f"127.0.0.1{host}"
    if not re.search(r":\d+\Z", host):
        host = f"{host}:{urlsplit(provider.base_url or '').port}"
    if host.startswith("0.0.0.0:"):
        host = host.replace("0.0.0.0", "127.0.0.1", 1)
    return f"http://{host}/{path}"


def _checked(url: str, where: str) -> SplitResult:
    """Take the URL apart; what is wrong with it is said without repeating it."""
    problem = None
    try:
        parts = urlsplit(url)
        parts.port  # noqa: B018  (raises for a port that is no number)
    except ValueError:
        raise InputError(f"{where} is not a URL", fix=_URL_FIX) from None
    if parts.username is not None or parts.password is not None:
        problem = "must not contain a user name or password"
    elif parts.scheme not in ("http", "https"):
        problem = "must start with http:// or https://"
    elif not parts.hostname:
        problem = "names no host"
    elif _UNPRINTABLE.search(url) or " " in url or len(url) > 2000:
        problem = "has blanks, unprintable characters or more than 2000 characters"
    if problem:
        raise InputError(f"{where} {problem}", fix=_URL_FIX)
    return parts


def _proxy(url: str, environ: Mapping[str, str]) -> str | None:
    parts = urlsplit(url)
    host = parts.hostname or ""
    if _loopback(host):
        return None
    names = (f"{parts.scheme}_proxy", "all_proxy")
    variable, proxy = _first(tuple(n for name in names for n in (name, name.upper())), environ)
    bypass = _first(("no_proxy", "NO_PROXY"), environ)[1]
    if not proxy or _bypassed(host, parts.port, bypass):
        return None
    if "://" not in proxy:
        proxy = f"http://{proxy}"
    if not proxy.startswith(("http://", "https://")):
        raise InputError(
            f"the proxy in {variable} cannot be used",
            why="only http and https proxies are supported",
            fix=f"name the host in NO_PROXY, unset {variable}, or set proxy_from_environment false",
        )
    return proxy


def _bypassed(host: str, port: int | None, rules: str) -> bool:
    """Whether NO_PROXY names the host: `*`, itself or a domain above it, with or without a port."""
    for rule in rules.lower().split(","):
        name = rule.strip().removeprefix("*").removeprefix(".")
        if rule.strip() == "*":
            return True
        if port is not None:
            name = name.removesuffix(f":{port}")
        if name and (host == name or host.endswith(f".{name}")):
            return True
    return False


def _loopback(host: str) -> bool:
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False
