"""Things for tests to stand on: make.person(), make.fundraiser(partners=2), make.donation(settled=True).

Plain functions through the real verbs, each with defaults that make sense together. They flush as the verbs do and
never commit: the client commits before it opens a page.
"""
