"""The account: what somebody who is signed in sees and does. One blueprint, a file for each thing that is done.

`mine` asks whose it is; `front` is the first page; `card`, `changing`, `leaving`, `giving`, `receipts`, `signed_in`.
"""

from membership.web.account import card, changing, front, giving, leaving, receipts, signed_in
from membership.web.account.mine import bp

__all__ = ["bp", "card", "changing", "front", "giving", "leaving", "receipts", "signed_in"]
