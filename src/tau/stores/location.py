"""Where stores are, as people may see it."""

from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

_SERVERS = ("postgresql", "postgres")
_SECRET = ("password", "passfile", "sslpassword")


def on_server(location: str) -> bool:
    """Whether the store at `location` is in a database server, which many machines may use."""
    return location.partition("://")[0].lower() in _SERVERS and "://" in location


def shown(location: str) -> str:
    """`location` without a password, should it be a URL with one; paths stay as they are."""
    if "://" not in location:
        return location
    try:
        parts = urlsplit(location)
        options = parse_qsl(parts.query, keep_blank_values=True)
    except ValueError:
        return location.partition("://")[0] + "://..."
    user, at, hosts = parts.netloc.rpartition("@")
    kept = [(name, value) for name, value in options if name not in _SECRET]
    if ":" not in user and len(kept) == len(options):
        return location
    netloc = user.partition(":")[0] + at + hosts
    return urlunsplit(parts._replace(netloc=netloc, query=urlencode(kept), fragment=""))
