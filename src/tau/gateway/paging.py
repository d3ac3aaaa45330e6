"""Pages of long lists: numbers in the address, bounded."""

from urllib.parse import urlencode

from starlette.requests import Request

from tau.gateway.answers import Refused

_MOST = 1_000_000


class Paging:
    """Where one is in a list, and the addresses before and after; `size` of `total` are on one."""

    def __init__(self, request: Request, *, number: int, more: bool, total: int | None = None,
                 size: int = 1):  # fmt: skip
        self.number = number
        self.total = total
        self.pages = None if total is None else max(1, -(-total // size))
        self._request = request
        self.earlier = self._address(number - 1) if number > 1 else None
        self.later = self._address(number + 1) if more else None

    def _address(self, number: int) -> str:
        parameters = {**self._request.query_params, "page": str(number)}
        return f"{self._request.url.path.removeprefix('/live')}?{urlencode(parameters)}"


def number_of(text: str) -> int | None:
    """The whole number that a part of an address is, None where it is none.

    Other digits than ASCII's, such as a superscript two, are none.
    """
    return int(text) if text.isascii() and text.isdigit() and len(text) <= 12 else None


def page_number(request: Request) -> int:
    """The `page` of an address, from 1.

    Raises:
        Refused: 400 where it is no such number.
    """
    text = request.query_params.get("page", "1")
    if not (text.isascii() and text.isdigit() and len(text) < 9 and 1 <= int(text) <= _MOST):
        raise Refused(400, "invalid_page", "page must be a whole number", fix=f"1 to {_MOST:,}")
    return int(text)
