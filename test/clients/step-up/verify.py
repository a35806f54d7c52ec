"""Verify a step-up token with PyJWT, and with the live keys of the service."""

import base64
import json
import os

import jwt
from jwt.exceptions import InvalidTokenError, PyJWKClientError

issuer = os.environ["IDP_URL"]
token = os.environ["STEP_UP_TOKEN"]
audience = os.environ["AUDIENCE"]
keys = jwt.PyJWKClient(f"{issuer}/.well-known/jwks.json")


def verify(text: str, audience: str = audience, issuer: str = issuer) -> dict[str, object]:
    """Return the claims."""
    key = keys.get_signing_key_from_jwt(text)
    return jwt.decode(text, key, algorithms=["EdDSA"], audience=audience, issuer=issuer)


def is_refused(*arguments: str) -> bool:
    try:
        verify(*arguments)
    except (InvalidTokenError, PyJWKClientError):
        return True
    return False


def encode(value: object) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=").decode()


if is_refused(token):
    print(json.dumps({"is_refused": True}))
else:
    header, payload, signature = token.split(".")
    unsigned = encode({**jwt.get_unverified_header(token), "alg": "none"})
    other = encode({**jwt.decode(token, options={"verify_signature": False}), "sub": "other"})
    refused = {
        "audience": is_refused(token, "https://other.example"),
        "issuer": is_refused(token, audience, "https://other.example"),
        "alg none": is_refused(f"{unsigned}.{payload}."),
        "changed claims": is_refused(f"{header}.{other}.{signature}"),
    }
    print(json.dumps({"claims": verify(token), "refused": refused}))
