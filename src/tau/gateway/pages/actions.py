"""Pages that change something: controls, promotion, logging in and out."""

import asyncio
from typing import Any

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from tau.domain.actions import STEERING, Action
from tau.errors import TauError
from tau.gateway import controls as steering
from tau.gateway.admission import COOKIE
from tau.gateway.answers import Refused, refusal
from tau.gateway.bodies import form_of, optional_text
from tau.gateway.contest import verdict_of
from tau.gateway.context import Gateway
from tau.gateway.controls import changed_meanwhile
from tau.gateway.credentials import BROWSER_S, Identity
from tau.gateway.pages.rendering import Page
from tau.gateway.paging import number_of
from tau.gateway.promotion import obstacle, promote, support
from tau.gateway.server_settings import AuthMode
from tau.reports.gain import partial_of

SEE_OTHER = 303


async def control_page(gateway: Gateway, request: Request, caller: Identity) -> Page:
    """What an action would do, with its form."""
    action = _action(request)
    snapshot = await gateway.watch.snapshot()
    meant = request.query_params.get("run")
    if meant is not None and (snapshot.run is None or snapshot.run.id != meant):
        raise changed_meanwhile(snapshot, meant)
    await gateway.access.refresh()
    found = next(
        one
        for one in steering.controls(gateway, snapshot, caller.principal)
        if one.action is action
    )
    return Page(
        template="control.html",
        title=f"{found.label} the run",
        section="",
        run=snapshot.run.id if snapshot.run else None,
        values={
            "control": found,
            "run": snapshot.run,
            "commands": steering.shell_commands(
                gateway, found, snapshot.run.id if snapshot.run else None
            ),
            "most": steering.MOST_REASON,
        },
    )


async def control_done(gateway: Gateway, request: Request, caller: Identity) -> Page:
    """Carry an action out; tell what came of it."""
    action = _action(request)
    form = await form_of(request)
    gateway.authenticator.check_form(caller, form.get("csrf"))
    if gateway.settings.read_only:
        raise Refused(403, "read_only", "this gateway is read-only")
    reason = optional_text(form, "reason", steering.MOST_REASON)
    run_id = await steering.run_meant(gateway, form.get("run"), required=True)
    command = steering.command_of(
        gateway, action, caller.principal, reason=reason, checkpoint=form.get("checkpoint"),
        run_id=run_id,
    )  # fmt: skip
    try:
        result = await gateway.execute(command)
    except TauError as error:
        raise refusal(error) from error
    snapshot = await gateway.watch.snapshot(fresh_ms=0)
    return Page(
        template="done.html",
        title="Done",
        run=snapshot.run.id if snapshot.run else None,
        values={
            "result": result,
            "command": steering.shell_command(
                gateway, action, reason=reason, checkpoint=form.get("checkpoint"), run_id=run_id
            ),
        },
    )


async def promotion_page(gateway: Gateway, request: Request, caller: Identity) -> Page:
    """What a promotion would do, with its form."""
    version = await gateway.window.ask(lambda store: store.resources.version(_number(request)))
    aliases = await gateway.window.ask(lambda store: store.aliases.current())
    verdict = await verdict_of(gateway, version.run_id) if version.run_id else None
    proof = support(version, verdict)
    return Page(
        template="promote.html",
        title=f"Promote {version.id}",
        section="prompts",
        values={
            "version": version,
            "aliases": aliases,
            "support": proof,
            "partial": partial_of(verdict.evidence) if verdict and proof else None,
            "obstacle": obstacle(gateway, caller.principal),
            "store": gateway.settings.store_shown,
            "most": steering.MOST_REASON,
        },
    )


async def promoted(gateway: Gateway, request: Request, caller: Identity) -> Response:
    """Promote, then show the prompts."""
    form = await form_of(request)
    gateway.authenticator.check_form(caller, form.get("csrf"))
    try:
        await promote(
            gateway,
            principal=caller.principal,
            number=_number(request),
            alias=form.get("alias", ""),
            reason=optional_text(form, "reason", steering.MOST_REASON) or "",
        )
    except TauError as error:
        raise refusal(error) from error
    return RedirectResponse("/prompts", SEE_OTHER)


async def login_page(gateway: Gateway, request: Request) -> Page:
    """The form; a link's secret is spent only by sending it, not by looking."""
    return Page(
        template="login.html",
        title="Log in",
        values={
            "link": request.query_params.get("link", ""),
            "mode": gateway.settings.auth,
            "token_known": gateway.settings.token is not None,
            "next": safe_path(request.query_params.get("next")),
            "error": None,
        },
    )


async def log_in(gateway: Gateway, request: Request) -> Response | Page:
    """Open a browser session for a link, a token or the password."""
    gateway.authenticator.same_origin(request)
    gateway.authenticator.stranger(request, "login")
    form = await form_of(request)
    given = form.get("link") or form.get("secret", "")
    if gateway.settings.auth is AuthMode.PASSWORD_SESSION:
        gateway.authenticator.refuse_guessing(request, given)
    secret = await _session(gateway, form)
    if secret is None:
        gateway.authenticator.refuse_guessing(request, given)
        gateway.authenticator.failed(request, given)
        values: dict[str, Any] = {
            "link": "",
            "mode": gateway.settings.auth,
            "token_known": gateway.settings.token is not None,
            "next": safe_path(form.get("next")),
            "error": "That is not valid, or no longer. A login link works once.",
        }
        return Page(template="login.html", title="Log in", values=values)
    answer = RedirectResponse(safe_path(form.get("next")), SEE_OTHER)
    answer.set_cookie(
        COOKIE, secret, max_age=BROWSER_S, httponly=True, samesite="strict", path="/",
        secure=request.url.scheme == "https",
    )  # fmt: skip
    return answer


async def log_out(gateway: Gateway, request: Request, caller: Identity) -> Response:
    """Close the session."""
    form = await form_of(request)
    gateway.authenticator.check_form(caller, form.get("csrf"))
    gateway.credentials.end(request.cookies.get(COOKIE, ""))
    answer = RedirectResponse("/login", SEE_OTHER)
    answer.delete_cookie(COOKIE, path="/")
    return answer


def safe_path(text: str | None) -> str:
    """A path of this site, whatever was asked for."""
    if not text or not text.startswith("/") or text.startswith(("//", "/\\")) or "\\" in text:
        return "/"
    return text if text.isprintable() and len(text) < 500 else "/"


async def _session(gateway: Gateway, form: Any) -> str | None:  # noqa: ANN401  (a form)
    if form.get("link"):
        return gateway.credentials.redeem(form["link"])
    if gateway.settings.auth is AuthMode.PASSWORD_SESSION:
        return await asyncio.to_thread(
            gateway.credentials.log_in, form.get("secret", ""), lasting_s=BROWSER_S
        )
    return gateway.credentials.exchange(form.get("secret", ""))


def _action(request: Request) -> Action:
    name = request.path_params["action"]
    if name not in STEERING:
        raise Refused(404, "not_found", "there is no such control")
    return Action(name)


def _number(request: Request) -> int:
    text = request.path_params["number"]
    found = number_of(text)
    if found is None:
        raise Refused(404, "not_found", "there is no such publication")
    return found
