"""Commands about accounts and profiles."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from client.commands.options import JsonOption, KeystoreOption, PasswordFile, ProfileOption

profile_commands = typer.Typer(no_args_is_help=True, help="Which service, chain and account commands are for.")


def add_to(app: typer.Typer) -> None:
    """Add the commands."""
    app.command("login")(login)
    app.command("logout")(logout)
    app.command("whoami")(whoami)
    app.add_typer(profile_commands, name="profile")


def login(
    keystore: KeystoreOption = None,
    hours: Annotated[int, typer.Option(min=1, max=24 * 30, help="How long the token is good.")] = 24,
    save_password: Annotated[
        bool, typer.Option("--save-password", help="Keep the password in the system's keyring.")
    ] = False,
    token: Annotated[
        bool, typer.Option("--token", help="Ask for a token instead, such as the provider's pages make with a wallet.")
    ] = False,
    profile: ProfileOption = None,
    password_file: PasswordFile = None,
    as_json: JsonOption = False,
) -> None:
    """Sign in: make a token of the provider, so that only purchases need the password again.

    Example: c2d login --keystore ~/ada.json
    """
    from client import signing_in
    from client.carrying import carry_out
    from client.session import Given

    given = Given(profile, as_json, password_file)
    if token:
        if keystore is not None:
            raise typer.BadParameter("a token or a keystore, not both")
        pasted = str(typer.prompt("Token", default="", show_default=False, hide_input=True, err=True)).strip()
        raise typer.Exit(carry_out(given, lambda session, out: signing_in.login_with_token(session, out, pasted)))
    raise typer.Exit(
        carry_out(
            given,
            lambda session, out: signing_in.login(
                session,
                out,
                keystore=None if keystore is None else keystore.expanduser().absolute(),
                hours=hours,
                save_password=save_password,
            ),
        )
    )


def logout(profile: ProfileOption = None, password_file: PasswordFile = None, as_json: JsonOption = False) -> None:
    """Forget the token, and take it out of use where the key can be had without asking.

    Example: c2d logout
    """
    from client import signing_in
    from client.carrying import carry_out
    from client.session import Given

    raise typer.Exit(carry_out(Given(profile, as_json, password_file), signing_in.logout))


def whoami(profile: ProfileOption = None, as_json: JsonOption = False) -> None:
    """Print which provider and account commands are for.

    Example: c2d whoami
    """
    from client import signing_in
    from client.carrying import carry_out
    from client.session import Given

    raise typer.Exit(carry_out(Given(profile, as_json), signing_in.whoami))


@profile_commands.command("list")
def list_profiles(as_json: JsonOption = False) -> None:
    """List the profiles.

    Example: c2d profile list
    """
    from client.profile_pages import list_profiles as listed

    raise typer.Exit(listed(as_json=as_json))


@profile_commands.command("show")
def show_profile(name: Annotated[str, typer.Argument(help="Which one.")], as_json: JsonOption = False) -> None:
    """Show a profile.

    Example: c2d profile show local
    """
    from client.profile_pages import show_profile as shown

    raise typer.Exit(shown(name, as_json=as_json))


@profile_commands.command("use")
def use_profile(name: Annotated[str, typer.Argument(help="Which one.")]) -> None:
    """Make a profile the current one.

    Example: c2d profile use pontus-x-test
    """
    from client.profile_pages import changed

    raise typer.Exit(changed(lambda profiles: profiles.use(name)))


@profile_commands.command("remove")
def remove_profile(name: Annotated[str, typer.Argument(help="Which one.")]) -> None:
    """Remove a profile.

    Example: c2d profile remove work
    """
    from client.profile_pages import changed

    raise typer.Exit(changed(lambda profiles: profiles.remove(name)))


@profile_commands.command("set")
def set_profile(
    name: Annotated[str, typer.Argument(help="Which one; it is made if there is none.")],
    provider: Annotated[str | None, typer.Option(help="Address of the provider.")] = None,
    metadata: Annotated[str | None, typer.Option(help="Address of a metadata store; else the provider's own.")] = None,
    chain: Annotated[str | None, typer.Option(help="Address of a node of the chain.")] = None,
    chain_id: Annotated[int | None, typer.Option(help="Its number.")] = None,
    contracts: Annotated[Path | None, typer.Option(help="Ocean's address file of that chain.")] = None,
    account: Annotated[str | None, typer.Option(help="keystore:FILE, or development:NUMBER.")] = None,
) -> None:
    """Make or change a profile.

    Example: c2d profile set work --provider https://provider.example.org --account keystore:~/ada.json
    """
    from client.profile_pages import changed

    given = {
        "provider": provider,
        "metadata": metadata,
        "chain": chain,
        "chain_id": chain_id,
        "contracts": contracts,
        "account": account,
    }
    said = {field: value for field, value in given.items() if value is not None}
    raise typer.Exit(changed(lambda profiles: profiles.set(name, **said)))
