"""`pitwall token`: who may ask a server, beside the holder of PITWALL_TOKEN."""

from __future__ import annotations

import json
import time
from pathlib import Path

import click

from pitwall.commands.options import json_option, option
from pitwall.commands.serve import address_options, tokens_option


@click.group
def token() -> None:
    """Make, list and take back the tokens that a server asks for.

    A server that others can reach (--host) demands PITWALL_TOKEN in its environment,
    and from then on a token with every request.  More are made here, for spectators and
    phones; a running server knows of a change at once.  docs/security.md tells more.

    \b
    Example:
      export PITWALL_TOKEN=$(pitwall token make)
      pitwall run --simulate --host 0.0.0.0
    """


@token.command
def make() -> None:
    """Print a secret for PITWALL_TOKEN; it is kept nowhere."""
    import secrets

    from pitwall.serve.tokens import SECRET_BYTES

    click.echo(secrets.token_urlsafe(SECRET_BYTES))


@token.command
@click.argument("name")
@option("--read-only", is_flag=True, help="For who may only look.")
@tokens_option
def new(name: str, read_only: bool, tokens: Path | None) -> None:
    """Make a token NAME and print it, once: only its hash is kept."""
    from pitwall.serve.tokens import Tokens, default_file

    click.echo(Tokens(tokens or default_file()).new(name, read_only=read_only))


@token.command("list")
@json_option
@tokens_option
def list_(as_json: bool, tokens: Path | None) -> None:
    """List the tokens that are good now."""
    from pitwall.serve.tokens import Tokens, default_file

    found = Tokens(tokens or default_file()).all()
    if as_json:
        keys = ("name", "read_only", "once", "made_s", "until_s")
        click.echo(json.dumps([{key: getattr(one, key) for key in keys} for one in found]))
        return
    for one in found:
        made = time.strftime("%Y-%m-%d %H:%M", time.localtime(one.made_s))
        may = "a link, not used yet" if one.once else "may only read" if one.read_only else "may change"
        click.echo(f"{one.name:24}  {made}  {may}")


@token.command
@click.argument("name")
@tokens_option
def revoke(name: str, tokens: Path | None) -> None:
    """Take the token NAME back: from now on it is refused."""
    from pitwall.serve.tokens import Tokens, default_file

    Tokens(tokens or default_file()).revoke(name)


@token.command
@option("--read-only", is_flag=True, help="For who may only look.")
@address_options
@tokens_option
def link(read_only: bool, host: str, port: int, tokens: Path | None) -> None:
    """Print a link, and its QR code, that lets one browser in.

    It is good once, for ten minutes; say --host and --port as the server was started.
    """
    from pitwall.commands.inviting import invite
    from pitwall.serve.tokens import Tokens, default_file

    invite(Tokens(tokens or default_file()), host, port, read_only=read_only)
