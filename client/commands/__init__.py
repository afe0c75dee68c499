"""The commands as typer declares them, by noun. Each imports what it needs when it is called."""
