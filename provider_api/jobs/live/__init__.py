"""Jobs while somebody looks at them: states, places in the line, logs, results, as they come.

One hub for each job and process reads for all who look at it. It remembers what is so now and no history: a viewer is
a place in that, and takes what it has not seen yet, at its own pace. So a slow one costs no memory, and one that comes
back, here or at another process, goes on from the id of the last event that it got.
"""
