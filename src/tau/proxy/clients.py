"""The client of a stream, over HTTP."""

from collections.abc import Mapping

from aiohttp import web

from tau.models.forwarding import passed_back


class StreamClient:
    """Implements `proxy.passing.Client`."""

    def __init__(self, request: web.BaseRequest) -> None:
        self._request = request
        self.gone = False
        self._ended = False
        self.response: web.StreamResponse | None = None

    async def begin(self, status: int, headers: Mapping[str, str]) -> None:
        """Send the head."""
        self.response = web.StreamResponse(status=status, headers=passed_back(headers))
        try:
            await self.response.prepare(self._request)
        except (ConnectionError, RuntimeError):
            self.gone = True

    async def write(self, piece: bytes) -> None:
        """Send a piece at once."""
        assert self.response is not None
        if self.gone:
            return
        try:
            await self.response.write(piece)
        except (ConnectionError, RuntimeError):
            self.gone = True

    async def end(self) -> None:
        """Nothing more comes."""
        assert self.response is not None
        if self.gone:
            return
        self._ended = True
        try:
            await self.response.write_eof()
        except (ConnectionError, RuntimeError):
            self.gone = True

    def broken(self) -> web.StreamResponse | None:
        """The response, cut off for the client to see; None where none had begun."""
        begun = self.response is not None and not self._ended
        if begun and self._request.transport is not None:
            self._request.transport.abort()
        return self.response
