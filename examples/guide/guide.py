"""The login of docs/integrate.md, with httpx alone."""

import os
import random
import subprocess
import time
import uuid
from datetime import datetime

import httpx

backend_token = os.environ["BACKEND_TOKEN"]
admin_token = os.environ["ADMIN_TOKEN"]
idp = httpx.Client(base_url=os.environ["IDP_URL"], timeout=10)
max_retries = 3


class IdpError(Exception):
    """An answer that is not a success."""

    def __init__(self, response):
        is_json = response.headers.get("Content-Type", "").startswith("application/json")
        self.status = response.status_code
        self.fields = response.json() if is_json else {}
        self.code = self.fields.get("code", "unexpected_answer")
        seconds = response.headers.get("Retry-After", "")
        self.retry_after = int(seconds) if seconds.isdigit() else 0
        super().__init__(f"{self.status} {self.code} ({self.fields.get('request_id')})")

    @property
    def may_pass(self):
        is_temporary = self.status in (429, 502, 503, 504)
        return is_temporary or self.code == "idempotency_in_progress"


def send_once(method, path, options):
    response = idp.request(method, path, **options)
    if not response.is_success:
        raise IdpError(response)
    return response.json() if response.content else None


def send(token, method, path, body=None, query=None, headers=None):
    """Sends a request, again if that may help. All tries have the same Idempotency-Key."""
    key = {"Idempotency-Key": str(uuid.uuid4())} if method == "POST" else {}
    options = {
        "json": body,
        "params": query,
        "headers": {"Authorization": f"Bearer {token}", **key, **(headers or {})},
    }
    for retries in range(max_retries):
        try:
            return send_once(method, path, options)
        except httpx.TransportError:
            wait = 0
        except IdpError as error:
            if not error.may_pass or error.retry_after > 30:
                raise
            wait = error.retry_after
        time.sleep(max(wait, random.uniform(0, 0.2 * 2**retries)))
    return send_once(method, path, options)


def provision(user_id):
    """Call it when an account is created. It may be called again."""
    try:
        send(backend_token, "POST", "/v1/idp/users", {"user": {"external_id": user_id}})
    except IdpError as error:
        if error.code != "user_exists":
            raise


def open_enrolment_page(user_id, account_name):
    """The page that sets up an authenticator app. It shows the QR code, and the secret to type."""
    otp = {"issuer_name": "Acme", "account_name": account_name}
    query = {"externalUserId": user_id, "qr": "svg"}
    setup = send(backend_token, "POST", "/v1/idp/user/otp", {"otp": otp}, query)["user"]
    return setup["qrcode_svg"], setup["new_otp_secret"]


def confirm_enrolment(user_id, code):
    """The user has typed the first code of the app. The page shows the backup codes once."""
    otp = {"id": user_id, "code": code, "purpose": "confirm"}
    send(backend_token, "POST", "/v1/idp/otp/verify", {"otp": otp})
    query = {"externalUserId": user_id}
    answer = send(backend_token, "POST", "/v1/idp/user/backup-codes", query=query)
    return answer["user"]["backupCodes"]


def refuse(message):
    return {"step": "refused", "message": message}


def describe_lock(until):
    return f"Too many wrong codes. Try again after {until}."


def assess(user_id, session):
    """The assessment of a session. A denial is one too, although its status is 403."""
    sentinel = {"external_id": user_id, "context": session}
    try:
        return send(backend_token, "POST", "/v1/sentinel/discover", {"sentinel": sentinel})
    except IdpError as error:
        if error.code not in ("high_risk", "user_suspended"):
            raise
        return error.fields


def begin_login(user_id, session):
    """The password was right."""
    assessment = assess(user_id, session)
    if assessment["user"]["status"] == "suspended":
        return refuse("This account is suspended.")
    if assessment["recommendation"] == "deny":
        return refuse("We cannot sign you in from here.")
    if assessment["recommendation"] == "allow":
        return {"step": "signed in"}
    if any(factor != "passkey" for factor in assessment["factors"]):
        return {"step": "ask for a code", "assessment_id": assessment["assessment_id"]}
    locked_until = assessment["user"]["locked_until"]
    if locked_until:
        return refuse(describe_lock(locked_until))
    return refuse("We have sent you a mail. Open its link to sign in.")


def finish_login(user_id, code, assessment_id):
    """The user has typed a code, of the app or a backup code."""
    otp = {"id": user_id, "code": code, "assessment_id": assessment_id}
    try:
        send(backend_token, "POST", "/v1/idp/otp/verify", {"otp": otp})
        return {"step": "signed in"}
    except IdpError as error:
        return describe_failure(error, assessment_id)


def describe_failure(error, assessment_id):
    def ask_again(message):
        return {"step": "ask for a code", "assessment_id": assessment_id, "message": message}

    fields = error.fields
    if fields.get("locked_until"):
        return refuse(describe_lock(fields["locked_until"]))
    if error.code == "invalid_code":
        return ask_again(f"Wrong code. Tries left: {fields['attempts_remaining']}.")
    if error.code == "code_already_used":
        return ask_again("This code was used. Wait for the next one.")
    if error.code == "otp_not_configured":
        return ask_again("Type one of your backup codes.")
    if error.code == "otp_disabled":
        return refuse("Ask the support to set up your app again.")
    if error.code == "user_suspended":
        return refuse("This account is suspended.")
    # The text has the form of no code. Nothing was counted.
    if any(issue["path"] == "otp.code" for issue in fields.get("issues", [])):
        return ask_again("Type all six digits.")
    raise error


def unlock(user_id, admin_id):
    """The unlock button of the admin page. `admin_id` is your own id of the administrator."""
    query, acting_for = {"externalUserId": user_id}, {"Acting-For": admin_id}
    path = "/v1/idp/user/unlock"
    profile = send(admin_token, "POST", path, query=query, headers=acting_for)
    return "The app must be set up again." if profile["otp_status"] == "disabled" else "Unlocked."


def code_at(seconds, secret):
    command = ["oathtool", "--totp", "-b", "-N", f"@{int(seconds)}", secret]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()


def show(title, result):
    if not isinstance(result, str):
        result = ": ".join(result[name] for name in ("step", "message") if name in result)
    print(f"{title}: {result}")


user_id = f"guide-{uuid.uuid4()}"
browser = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"


def login(code):
    """A login that Sentinel challenges, with the code that the user types."""
    begun = begin_login(user_id, {"ip": "192.0.2.2", "ua": browser})
    if begun["step"] != "ask for a code":
        return begun
    return finish_login(user_id, code, begun["assessment_id"])


provision(user_id)
without_factor = begin_login(user_id, {"ip": "192.0.2.2", "ua": browser})
show("Challenged without a factor", without_factor)

_, secret = open_enrolment_page(user_id, "alexander@acme.example")
first_code = code_at(time.time(), secret)
first_backup_code, second_backup_code, *_ = confirm_enrolment(user_id, first_code)

for ip in ("192.0.2.1", "192.0.2.2", "192.0.2.3"):
    show(f"From {ip}", begin_login(user_id, {"ip": ip, "ua": browser}))
show("Half a code", login("123"))
show("The code that enrolled", login(first_code))
show("The next code", login(code_at(time.time() + 30, secret)))
show("A backup code", login(first_backup_code))


def fail_until_locked():
    for _ in range(5):
        show("A wrong code", login("000000"))


fail_until_locked()
show("The right code, too late", login(second_backup_code))
show("The administrator", unlock(user_id, "ORG_ADMIN_17"))
show("The right code", login(second_backup_code))

fail_until_locked()
query = {"externalUserId": user_id}
locked_until = send(admin_token, "GET", "/v1/idp/user", query=query)["locked_until"]
end = datetime.fromisoformat(locked_until.replace("Z", "+00:00"))
later_code = code_at(end.timestamp(), secret)
otp = {"id": user_id, "code": later_code}
clock = {"Test-Clock": locked_until}
verified = send(backend_token, "POST", "/v1/idp/otp/verify", {"otp": otp}, headers=clock)
show("When the lock has ended", verified["status"])
