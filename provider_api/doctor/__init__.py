"""`c2d doctor`: is everything as the service needs it, and is isolation as promised?

`judging` has plain functions from facts to lines, `checks` gathers the facts, `run` gives each check its time and turns
whatever goes wrong into lines of that check alone. What a line means and how to mend it: docs/how-to/doctor.md.
"""
