"""Commands that steer a run, and those about who may and who did."""

from collections.abc import Callable
from typing import Any

import click

from tau.cli.commands.running import json_option, options, who_options
from tau.cli.surface import Surface, debug_option
from tau.config.paths import DEFAULT_STORE

Command = Callable[..., Any]

state_dir_option = click.option(
    "--state-dir", metavar="PATH", help="Where the run's control files are; found by itself."
)
store_option = click.option("--store", metavar="PATH", help="The store whose run is meant.")
reason_option = click.option("--reason", metavar="TEXT", help="Why; it is audited.")
dry_run_option = click.option("--dry-run", is_flag=True, help="Show the effect, change nothing.")


where_options = options(state_dir_option, store_option)
run_id_option = click.option(
    "--run-id", metavar="ID", help="The run that is meant; refused where another has come."
)
run_argument = click.argument("run_named", metavar="[RUN]", required=False)
command_options = options(
    where_options,
    who_options,
    run_id_option,
    reason_option,
    dry_run_option,
    json_option,
    debug_option,
)
asked_store_option = click.option(
    "--store", metavar="PATH", default=DEFAULT_STORE, show_default=True,
    help="The store, which may carry a policy of its own.",
)  # fmt: skip


@click.command("status", short_help="Show how a run is doing.")
@run_argument
@where_options
@who_options
@json_option
@debug_option
@click.pass_obj
def status(surface: Surface, /, **given: Any) -> int:  # noqa: ANN401
    """Show how the run is doing, what is wanted of it and whether its process lives."""
    return _carry_out(surface, "status", given)


@click.command("pause", short_help="Stop claims; let calls in flight finish.")
@run_argument
@command_options
@click.pass_obj
def pause(surface: Surface, /, **given: Any) -> int:  # noqa: ANN401
    """Pause the run: nothing more is claimed, calls in flight finish and are recorded."""
    return _carry_out(surface, "pause", given)


@click.command("resume", short_help="Let a paused or crashed run go on.")
@run_argument
@click.option("--run", is_flag=False, flag_value="", default=None, metavar="[ID]",
              help="Then go on with it here, as it was started; with ID, with that run only.",
)  # fmt: skip
@command_options
@click.pass_obj
def resume(surface: Surface, /, *, run: str | None, **given: Any) -> int:  # noqa: ANN401
    """Let a paused run go on, or recover a crashed one: check its files and write a report.

    A run that no process drives goes on when it is started again, or with --run.
    """
    if run:
        given["run_id"] = _one_run(run, given["run_id"])
    if run is None or given["dry_run"]:
        return _carry_out(surface, "resume", given)
    from tau.cli.lifecycle_control import resume_and_run

    return resume_and_run(_arguments("resume", given), surface)


@click.command("cancel", short_help="End a run for good.")
@run_argument
@command_options
@click.pass_obj
def cancel(surface: Surface, /, **given: Any) -> int:  # noqa: ANN401
    """Cancel the run: what is queued is dropped, calls in flight finish and are recorded."""
    return _carry_out(surface, "cancel", given)


@click.command("rollback", short_help="Go back to a checkpoint.")
@click.argument("checkpoint", metavar="PATH")
@command_options
@click.pass_obj
def rollback(surface: Surface, /, **given: Any) -> int:  # noqa: ANN401
    """Go back to the checkpoint file PATH; what came after it stays visible as abandoned."""
    return _carry_out(surface, "rollback", given)


@click.group("rbac", short_help="Ask the access policy, or let a store carry one.")
def rbac() -> None:
    """Ask the access policy, let a store carry one, make tokens for the gateway."""


@rbac.command("check")
@click.argument("action", metavar="ACTION")
@asked_store_option
@who_options
@json_option
@debug_option
def rbac_check(
    *, action: str, store: str, principal: str | None, rbac_policy: str | None, as_json: bool
) -> int:
    """Show whether ACTION (pause, promote, ..., or a key such as control:rl:pause) is allowed.

    Exit code 5 if not.
    """
    from tau.cli.oversight import check_access

    return check_access(action, store=store, given=principal, policy=rbac_policy, as_json=as_json)


@rbac.command("whoami")
@asked_store_option
@who_options
@json_option
@debug_option
def rbac_whoami(
    *, store: str, principal: str | None, rbac_policy: str | None, as_json: bool
) -> int:
    """Show who you are to the policies and what they let you do."""
    from tau.cli.oversight import who_am_i

    return who_am_i(store=store, given=principal, policy=rbac_policy, as_json=as_json)


@rbac.command("install")
@click.argument("path", metavar="POLICY")
@asked_store_option
@who_options
@reason_option
@json_option
@debug_option
def rbac_install(
    *,
    path: str,
    store: str,
    principal: str | None,
    rbac_policy: str | None,
    reason: str | None,
    as_json: bool,
) -> int:
    """Let the store carry the policy in the file POLICY: it then holds from everywhere.

    The policies that hold until then must allow control:rbac:install. Whoever can write the
    database itself is beyond it.
    """
    from tau.cli.oversight import install

    return install(store, path, given=principal, policy=rbac_policy, reason=reason, as_json=as_json)


@rbac.command("token")
@click.argument("name", metavar="PRINCIPAL")
@click.option("--tokens", "path", metavar="FILE", required=True,
              help="The file to add the entry to, for: tau serve --tokens FILE")  # fmt: skip
@debug_option
def rbac_token(*, name: str, path: str) -> int:
    """Make a gateway token for PRINCIPAL: its hash goes into FILE, the token is printed once."""
    from tau.cli.tokens import make_token

    return make_token(name, path)


@click.group("audit", short_help="Look at the audit of lifecycle commands.")
def audit() -> None:
    """Look at the audit of lifecycle commands."""


@audit.command("ls")
@where_options
@click.option("--limit", type=click.IntRange(1), default=50, show_default=True, help="At most.")
@json_option
@debug_option
def audit_ls(*, state_dir: str | None, store: str | None, limit: int, as_json: bool) -> int:
    """List who asked for what, the latest last."""
    from tau.cli.oversight import list_audit
    from tau.config.search import find_state_dir

    folder = find_state_dir(chosen=state_dir, store=store)
    return list_audit(folder, limit=limit, as_json=as_json)


@audit.command("verify")
@where_options
@json_option
@debug_option
def audit_verify(*, state_dir: str | None, store: str | None, as_json: bool) -> int:
    """Check that no line was changed, dropped, moved or cut off; exit code 1 if one was."""
    from tau.cli.oversight import verify_audit
    from tau.config.search import find_state_dir

    folder = find_state_dir(chosen=state_dir, store=store)
    return verify_audit(folder, store=store, as_json=as_json)


@audit.command("repair")
@where_options
@who_options
@reason_option
@json_option
@debug_option
def audit_repair(
    *,
    state_dir: str | None,
    store: str | None,
    principal: str | None,
    rbac_policy: str | None,
    reason: str | None,
    as_json: bool,
) -> int:
    """Keep the original, take out lines that cannot be parsed, and anchor the chain anew."""
    from tau.cli.oversight import repair
    from tau.config.search import find_state_dir

    folder = find_state_dir(chosen=state_dir, store=store)
    return repair(
        folder, store=store, given=principal, reason=reason, policy=rbac_policy, as_json=as_json
    )


def _carry_out(surface: Surface, action: str, given: dict[str, Any]) -> int:
    from tau.cli.lifecycle_control import carry_out

    return carry_out(_arguments(action, given), surface)


def _arguments(action: str, given: dict[str, Any]) -> Any:  # noqa: ANN401
    from tau.cli.lifecycle_control import ControlArguments
    from tau.config.search import find_state_dir

    return ControlArguments(
        action=action,
        folder=find_state_dir(chosen=given["state_dir"], store=given["store"], files=False),
        policy=given["rbac_policy"],
        principal=given["principal"],
        checkpoint=given.get("checkpoint"),
        reason=given.get("reason"),
        json=given["as_json"],
        dry_run=given.get("dry_run", False),
        run_id=_one_run(given.get("run_named"), given.get("run_id")),
        store=given["store"],
        chosen=given["state_dir"] is not None,
    )


def _one_run(*named: str | None) -> str | None:
    """The run that was named, however often; UsageError where two were."""
    different = {name for name in named if name is not None}
    if len(different) > 1:
        raise click.UsageError(f"two runs are named: {', '.join(sorted(different))}")
    return different.pop() if different else None
