"""Memberships: joined, renewed, late, paused, left, ended; and what they open."""

from membership.domain.memberships.joining import Kind, Membership, MembershipStatus

__all__ = ["Kind", "Membership", "MembershipStatus"]
