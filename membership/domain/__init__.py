"""The rules. One noun, one file: its tables, then its verbs, then its questions.

A noun asks only nouns below it. Verbs add, query and flush; they never commit, never meet Stripe, a form or a
template, and read the time from `now=` or the one clock. What is refused is refused as a sentence (errors.py).
"""
