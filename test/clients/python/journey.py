"""The journey with a client that openapi-python-client generated."""

import json
import os
from typing import TypeVar

import pyotp

from generated import AuthenticatedClient
from generated.api.audit import export_audit, get_checkpoint
from generated.api.identities import get_user, list_users, provision_user
from generated.api.one_time_passwords import configure_otp, verify_otp
from generated.models import (
    AuditEvent,
    ConfigureOtpInput,
    ConfigureOtpInputOtp,
    Error,
    ProvisionUserInput,
    ProvisionUserInputUser,
    VerifyOtpInput,
    VerifyOtpInputOtp,
)
from generated.types import Response

Body = TypeVar("Body")

EXTERNAL_USER_ID = "ORG_USR_9921_AFG"

client = AuthenticatedClient(base_url=os.environ["IDP_URL"], token=os.environ["IDP_TOKEN"])


def report(step: str, **read: object) -> None:
    """Print what a step read, for the check to compare."""
    print(json.dumps({"step": step, **read}), flush=True)


def body_of(answer: Body | Error | None) -> Body:
    """Return the body of a success."""
    if answer is None:
        raise ValueError("The answer has no body")
    if isinstance(answer, Error):
        raise ValueError(f"{answer.code}: {answer.error}")
    return answer


def error_of(answer: Response[Body | Error]) -> tuple[int, Error]:
    """Return the status and the body of a refusal."""
    if not isinstance(answer.parsed, Error):
        raise ValueError("The request was not refused")
    return answer.status_code.value, answer.parsed


def attempt(code: str) -> VerifyOtpInput:
    return VerifyOtpInput(otp=VerifyOtpInputOtp(id=EXTERNAL_USER_ID, code=code))


provisioned = body_of(
    provision_user.sync(
        client=client,
        body=ProvisionUserInput(user=ProvisionUserInputUser(external_id=EXTERNAL_USER_ID)),
    )
)
report(
    "provision",
    external_id=provisioned.user.external_id,
    status=provisioned.user.status,
)

names = ConfigureOtpInputOtp(issuer_name="Acme", account_name="alexander@enterprise.com")
enrolled = body_of(
    configure_otp.sync(
        client=client,
        external_user_id=EXTERNAL_USER_ID,
        body=ConfigureOtpInput(otp=names),
    )
)
report("enrol", is_setup_complete=enrolled.user.is_setup_complete)

code = pyotp.TOTP(enrolled.user.new_otp_secret).now()
wrong_code = f"{(int(code) + 1) % 1_000_000:06}"

http, error = error_of(verify_otp.sync_detailed(client=client, body=attempt(wrong_code)))
report("wrong code", http=http, code=error.code, attempts_remaining=error.attempts_remaining)

verified = body_of(verify_otp.sync(client=client, body=attempt(code)))
report("verify", id=verified.id, status=verified.status, method=verified.method)

page = body_of(list_users.sync(client=client, limit=10))
report(
    "list",
    users=[f"{user.external_id} {user.status}" for user in page.users],
    has_more=page.has_more,
)

head = body_of(get_checkpoint.sync(client=client))
exported = body_of(export_audit.sync(client=client))
events = [AuditEvent.from_dict(json.loads(line)) for line in exported.payload]
report(
    "export",
    is_complete=len(events) >= head.checkpoint.tree_size,
    actions=[event.action for event in events],
)

http, error = error_of(get_user.sync_detailed(client=client, external_user_id="nobody"))
report("unknown user", http=http, code=error.code)
