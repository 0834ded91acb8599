"""One person at the desk: everything we know about them on one page, and every act one form.

`page` draws it, `press` is what all acts share, `line` finds words for the history; `money`, `members`, `contact` and
`data` are the acts.
"""
