"""Plans, their prices, and the perks they open. Described by the newsroom's file; what was sold stays.

Two files, one noun: `offer` is what can be joined, `perks` what a membership opens.
"""

from membership.domain.plans.offer import Plan, PlanStatus, Price
from membership.domain.plans.perks import Perk, PerkCode, PerkKind, PlanPerk

__all__ = ["Perk", "PerkCode", "PerkKind", "Plan", "PlanPerk", "PlanStatus", "Price"]
