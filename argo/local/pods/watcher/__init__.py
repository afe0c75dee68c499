"""The small program that watches one pod and outlives the server.

One process per pod. It is started with Python's fewest parts (`-I -S`, no site-packages), so that it costs a few
milliseconds and megabytes: everything in this folder imports nothing but a few modules of the standard library and its
own neighbours. It keeps the pod's lock as long as it lives, starts the pod's programs, writes their log and their end.
"""
