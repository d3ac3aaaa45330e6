"""Commands that serve the gateway, and that keep its store small."""

import click

from tau.cli.commands.running import json_option, store_option, who_options
from tau.cli.surface import debug_option

AUTH_MODES = ("token", "password-session", "localhost-dev")
DEFAULT_BIND = "127.0.0.1:8787"


@click.command("serve", short_help="Serve the dashboard and its JSON API.")
@click.option("--bind", metavar="HOST:PORT", default=DEFAULT_BIND, show_default=True,
              help="Where to listen; port 0 picks a free one.")  # fmt: skip
@store_option
@click.option("--state-dir", metavar="PATH", help="Where control files live; beside the store.")
@click.option("--auth", type=click.Choice(AUTH_MODES), default="token", show_default=True,
              help="Who is let in.")  # fmt: skip
@click.option("--token-file", metavar="PATH", help="A file with the bearer token of programs.")
@click.option("--tokens", metavar="FILE",
              help="Tokens of several principals; entries by: tau rbac token.")  # fmt: skip
@click.option("--password-file", metavar="PATH", help="A file with the password.")
@click.option("--read-only", is_flag=True, help="Nothing can be controlled.")
@click.option("--principal", metavar="NAME", help="Whom its clients act as; you by default.")
@click.option("--rbac-policy", metavar="PATH", help="The policy that says who may do what.")
@click.option("--allow-host", "allowed_hosts", metavar="NAME", multiple=True,
              help="Another name it may be called by; may be repeated.")  # fmt: skip
@click.option("--tls-cert", metavar="PATH", help="Serve HTTPS with this certificate (PEM).")
@click.option("--tls-key", metavar="PATH", help="The certificate's private key (PEM).")
@click.option("--trusted-proxy", "trusted_proxies", metavar="ADDRESS", multiple=True,
              help="A proxy believed about where requests come from; may be repeated.")  # fmt: skip
@click.option("--beside-run", is_flag=True, hidden=True)
@debug_option
def serve(
    *,
    bind: str,
    store: str,
    state_dir: str | None,
    auth: str,
    token_file: str | None,
    tokens: str | None,
    password_file: str | None,
    read_only: bool,
    principal: str | None,
    rbac_policy: str | None,
    allowed_hosts: tuple[str, ...],
    tls_cert: str | None,
    tls_key: str | None,
    trusted_proxies: tuple[str, ...],
    beside_run: bool,
) -> int:
    """Serve the dashboard, the JSON API and metrics of a store until Ctrl-C.

    A link that opens one browser session is printed. Programs use a bearer token: set
    TAU_GATEWAY_TOKEN or give --token-file. With --auth password-session, set
    TAU_GATEWAY_PASSWORD or give --password-file. With --tokens, each token acts as its own
    principal.
    """
    from tau.cli.gateway import ServeArguments, serve_gateway

    return serve_gateway(
        ServeArguments(
            bind=bind, store=store, state_dir=state_dir, auth=auth, token_file=token_file,
            password_file=password_file, read_only=read_only, principal=principal,
            rbac_policy=rbac_policy, allowed_hosts=allowed_hosts, beside=beside_run,
            tokens=tokens, tls=(tls_cert, tls_key), trusted_proxies=trusted_proxies,
        )
    )  # fmt: skip


@click.command("prune")
@click.argument("runs", metavar="[RUN]...", nargs=-1)
@click.option("--older-than", metavar="AGE", help="Runs that ended so long ago: 12h, 30d, 8w.")
@click.option("--yes", is_flag=True, help="Do it; else it is only shown.")
@click.option("--reason", metavar="TEXT", help="Why; it is audited.")
@who_options
@store_option
@json_option
@debug_option
def db_prune(
    *,
    runs: tuple[str, ...],
    older_than: str | None,
    yes: bool,
    reason: str | None,
    principal: str | None,
    rbac_policy: str | None,
    store: str,
    as_json: bool,
) -> int:
    """Delete what ended runs did: rollouts, spans, outputs and checkpoints.

    Their line, spend, candidates, verdict and published prompts stay. Without --yes it is only
    shown; what is done is audited. The file does not shrink: freed space is used again.
    """
    from tau.cli.lifecycle_control import policy_file
    from tau.cli.lifecycle_control import principal as principal_of
    from tau.cli.pruning import prune_store

    return prune_store(
        store, runs=runs, older_than=older_than, reason=reason, yes=yes, as_json=as_json,
        principal=principal_of(principal), policy=policy_file(rbac_policy),
    )  # fmt: skip
