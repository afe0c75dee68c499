"""What is spent on requests that nobody has signed: one budget for all of them, by client address and altogether.

budget.py    how much is left, who may be worked on now
gate.py      the middleware that asks the budget before a request is worked on
asking.py    which of several sets of connections a call to a file's source belongs to, and who is charged for it
"""
