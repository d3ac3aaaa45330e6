"""The simulated endpoint for one run: its own numbering and counts, and a grader for peers.

Peers have no Tau in their environments, so they ask over HTTP what Tau's grader says: right or
wrong, and which rule was broken, in words. Grading is no model call and is not counted.
"""

import orjson
from aiohttp import web

from tau.models.sim_server import SimServer
from tau.sim.grading import case_in, judge


class ComparisonServer(SimServer):
    """`tau sim serve` with `POST /grade` beside it."""

    def application(self) -> web.Application:
        app = super().application()
        app.router.add_post("/grade", _grade)
        return app


async def _grade(request: web.Request) -> web.Response:
    asked = orjson.loads(await request.read())
    case = case_in(asked["prompt"])
    if case is None:
        raise web.HTTPBadRequest(reason="the prompt holds no case of the world")
    verdict = judge(case, asked["output"], "rule")
    return web.json_response({"score": 1.0 if verdict.right else 0.0, "feedback": verdict.feedback})
