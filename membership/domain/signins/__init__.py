"""Signing in: a mailed link with a code, and sessions that live on the server and can be ended everywhere."""

from membership.domain.signins.links import SignIn
from membership.domain.signins.sessions import Session, SessionKind

__all__ = ["Session", "SessionKind", "SignIn"]
