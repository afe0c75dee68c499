"""May this job start? Facts are gathered first (`facts`), then judged by small named rules over plain values (`rules`).

The same rules answer a start, a quote (`quotes`), and "why not": `judge` stops at the first refusal, `judge_all` names
every one.
"""
