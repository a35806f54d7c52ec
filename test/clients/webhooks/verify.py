"""Verify messages of webhooks with the library of Standard Webhooks, one JSON object a line."""

import json
import sys

from standardwebhooks.webhooks import Webhook, WebhookVerificationError


def is_accepted(secret: str, headers: dict[str, str], body: str) -> bool:
    try:
        return Webhook(secret).verify(body, headers)["type"] != ""
    except WebhookVerificationError:
        return False


with open(sys.argv[1], encoding="utf-8") as lines:
    for line in lines:
        message = json.loads(line)
        print(json.dumps(is_accepted(message["secret"], message["headers"], message["body"])))
