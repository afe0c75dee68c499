"""Commands of publishers."""

from __future__ import annotations

from typing import Annotated

import typer

from client.commands.options import JsonOption, PasswordFile, ProfileOption

asset = typer.Typer(no_args_is_help=True, help="Look at assets, and change yours.")

Name = Annotated[str | None, typer.Option(help="Its name; else the file's.")]
Text = Annotated[str | None, typer.Option("--description", help="What it is.")]
Author = Annotated[str | None, typer.Option(help="Who made it.")]
License = Annotated[str | None, typer.Option(help="Under which terms, such as CC-BY-4.0.")]
Tag = Annotated[list[str] | None, typer.Option(help="May be given several times.")]
Price = Annotated[
    str | None, typer.Option(help="Of an order, in whole tokens; 0 gives it away, none offers nothing. Else 0.")
]
Token = Annotated[str | None, typer.Option(help="Address of the token that it is sold for; else the chain's OCEAN.")]
_THING = "A file, an address (https://…), or a description (TOML)."


def add_to(app: typer.Typer) -> None:
    """Add the commands."""
    app.command("publish")(publish)
    app.command("publish-algorithm")(publish_algorithm)
    app.command("trust")(trust)
    app.add_typer(asset, name="asset")


def publish(
    thing: Annotated[str, typer.Argument(metavar="FILE|URL|TOML", help=_THING)],
    name: Name = None,
    description: Text = None,
    author: Author = None,
    license_: License = None,
    tag: Tag = None,
    price: Price = None,
    token: Token = None,
    trusted: Annotated[
        list[str] | None,
        typer.Option("--trust", metavar="DID", help="An algorithm that may read it; else those that you publish."),
    ] = None,
    access: Annotated[bool | None, typer.Option("--access", help="May be downloaded, too.")] = None,
    profile: ProfileOption = None,
    password_file: PasswordFile = None,
    as_json: JsonOption = False,
) -> None:
    """Publish a dataset. Nobody sees it: algorithms compute on it, at first only those that you publish yourself.

    Example: c2d publish rain.csv --price 5
    """
    from client.assets.drafts import describe_dataset, draft_of_dataset
    from client.assets.publishing import publish as publish_draft
    from client.carrying import carry_out
    from client.exits import Exit
    from client.printing import Printer
    from client.session import Given, Session

    async def work(session: Session, printer: Printer) -> Exit:
        found = describe_dataset(
            thing,
            session,
            name=name,
            description=description,
            author=author,
            license=license_,
            tags=tag,
            price=price,
            token=token,
            trusted=trusted,
            access=access,
        )
        return await publish_draft(session, printer, draft_of_dataset(found, session.address), found)

    raise typer.Exit(carry_out(Given(profile, as_json, password_file), work))


def publish_algorithm(
    thing: Annotated[str, typer.Argument(metavar="FILE|URL|TOML", help=_THING)],
    image: Annotated[
        str | None, typer.Option(help="What it runs in, NAME:TAG@sha256:…; else by the file's suffix.")
    ] = None,
    entrypoint: Annotated[str | None, typer.Option(help="How it is started, such as 'python $ALGO'.")] = None,
    name: Name = None,
    description: Text = None,
    author: Author = None,
    license_: License = None,
    tag: Tag = None,
    price: Price = None,
    token: Token = None,
    profile: ProfileOption = None,
    password_file: PasswordFile = None,
    as_json: JsonOption = False,
) -> None:
    """Publish an algorithm.

    Example: c2d publish-algorithm mean.py --image python:3.12
    """
    from client.assets.drafts import describe_algorithm, draft_of_algorithm
    from client.assets.publishing import publish as publish_draft
    from client.carrying import carry_out
    from client.exits import Exit
    from client.printing import Printer
    from client.session import Given, Session

    async def work(session: Session, printer: Printer) -> Exit:
        found = describe_algorithm(
            thing,
            session,
            name=name,
            description=description,
            author=author,
            license=license_,
            tags=tag,
            price=price,
            token=token,
            image=image,
            entrypoint=entrypoint,
        )
        draft = draft_of_algorithm(found, digest_needed=session.local is None)
        return await publish_draft(session, printer, draft, found)

    raise typer.Exit(carry_out(Given(profile, as_json, password_file), work))


def trust(
    dataset: Annotated[str, typer.Argument(help="Your dataset.")],
    algorithm: Annotated[str, typer.Argument(help="The algorithm that may read it, as it is now.")],
    withdraw: Annotated[bool, typer.Option("--withdraw", help="It may no longer.")] = False,
    profile: ProfileOption = None,
    password_file: PasswordFile = None,
    as_json: JsonOption = False,
) -> None:
    """Let an algorithm read a dataset of yours, exactly as its files and its image are now.

    Example: c2d trust did:op:12… did:op:34…
    """
    from client.assets import publishing
    from client.carrying import carry_out
    from client.session import Given

    given = Given(profile, as_json, password_file)
    raise typer.Exit(
        carry_out(given, lambda session, out: publishing.trust(session, out, dataset, algorithm, withdraw=withdraw))
    )


@asset.command("show")
def show(
    given: Annotated[str, typer.Argument(metavar="ASSET", help="DID or name.")],
    profile: ProfileOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show an asset: what it says of itself, what it costs, who may read it.

    Example: c2d asset show did:op:12…
    """
    from client.assets import publishing
    from client.carrying import carry_out
    from client.session import Given

    raise typer.Exit(carry_out(Given(profile, as_json), lambda session, out: publishing.show(session, out, given)))


@asset.command("edit")
def edit(
    given: Annotated[str, typer.Argument(metavar="ASSET", help="DID or name.")],
    name: Name = None,
    description: Text = None,
    author: Author = None,
    license_: License = None,
    tag: Tag = None,
    profile: ProfileOption = None,
    password_file: PasswordFile = None,
    as_json: JsonOption = False,
) -> None:
    """Change what an asset of yours says of itself.

    Example: c2d asset edit did:op:12… --description 'Daily rain, mm'
    """
    from client.assets import publishing
    from client.carrying import carry_out
    from client.session import Given

    changes = {"name": name, "description": description, "author": author, "license": license_, "tags": tag}
    raise typer.Exit(
        carry_out(
            Given(profile, as_json, password_file),
            lambda session, out: publishing.edit(session, out, given, changes),
        )
    )


@asset.command("state")
def state(
    given: Annotated[str, typer.Argument(metavar="ASSET", help="DID or name.")],
    new: Annotated[
        str, typer.Argument(metavar="STATE", help="active, end-of-life, deprecated, revoked, disabled, unlisted.")
    ],
    profile: ProfileOption = None,
    password_file: PasswordFile = None,
    as_json: JsonOption = False,
) -> None:
    """Say whether an asset of yours may be used and found.

    Example: c2d asset state did:op:12… revoked
    """
    from client.assets import publishing
    from client.carrying import carry_out
    from client.session import Given

    raise typer.Exit(
        carry_out(
            Given(profile, as_json, password_file),
            lambda session, out: publishing.set_state(session, out, given, new),
        )
    )
