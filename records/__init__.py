"""Statements about jobs that a stranger checks from files alone: who ran what on what, and what left.

Nothing in here knows a web server, Argo or a store. `statement` and `envelope` are the form, `passport` is what a
finished job says of itself, `verify` is how anybody checks it.
"""
