"""What the service answers, noun by noun: requests in tables, and what is written down of each answer.

`calls` has what a request is, `book` sends it and writes its answer down, `varying` says what of an answer is different
each time, `places` builds the service around. Each other module has the requests of one noun; `nouns` lists them.
"""
