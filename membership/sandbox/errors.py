"""What the pretend Stripe answers when it refuses.

Promises the shape of Stripe's error bodies: type, code, message, param, doc_url and request_log_url,
and that nothing else of ours ever reaches the caller.
"""

from typing import Any


class ApiError(Exception):
    """A refusal with Stripe's status and error body."""

    def __init__(
        self,
        status: int,
        message: str,
        *,
        kind: str = "invalid_request_error",
        code: str | None = None,
        param: str | None = None,
        extra: dict[str, Any] | None = None,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.kind = kind
        self.code = code
        self.param = param
        self.message = message
        self.extra = extra or {}

    def body(self, request_id: str, account_id: str) -> dict[str, Any]:
        error: dict[str, Any] = {}
        if self.code:
            error["code"] = self.code
            error["doc_url"] = f"https://docs.stripe.com/error-codes#{self.code.replace('_', '-')}"
        error["message"] = self.message
        if self.param:
            error["param"] = self.param
        error["request_log_url"] = (
            f"https://dashboard.stripe.com/{account_id}/test/workbench/logs?object={request_id}"
        )
        error["type"] = self.kind
        return {"error": {**error, **self.extra}}


class CardDeclined(ApiError):
    """A 402: the card (or the bank) said no."""

    def __init__(self, code: str, message: str, *, decline_code: str | None = None) -> None:
        extra = {"decline_code": decline_code} if decline_code else {}
        super().__init__(402, message, kind="card_error", code=code, extra=extra)
        self.decline_code = decline_code


class PaymentFailed(CardDeclined):
    """A 402 after a try that stays on record: the charge failed, and what was asked for was not undone."""


class ControlError(ValueError):
    """A sentence for whoever turns the controls."""


class ReplyDropped(ConnectionError):
    """The request got no answer: raised out of the WSGI call.

    ``kind`` is the fault that did it; a ConnectionError, so that the server closes the socket without a word.
    """

    def __init__(self, kind: str) -> None:
        super().__init__(f"the pretend Stripe gave no reply ({kind})")
        self.kind = kind


def missing_object(noun: str, ident: str, param: str = "id") -> ApiError:
    return ApiError(404, f"No such {noun}: '{ident}'", code="resource_missing", param=param)


def invalid(message: str, param: str | None = None, code: str | None = None) -> ApiError:
    return ApiError(400, message, code=code, param=param)
