/** The event of a login, for benches that file events without guards. */
import type { AuditEvent } from "../../src/audit/event.ts";
import { createId } from "../../src/crypto/id.ts";

export function createLogin(tenantId: string): AuditEvent {
  const at = Date.now();
  return {
    id: createId(at),
    tenantId,
    at,
    actor: { type: "system", id: null },
    action: "otp.verified",
    target: { type: "identity", id: createId(at) },
    personal: null,
    outcome: "success",
    reason: null,
    requestId: createId(at),
    details: { method: "totp" },
  };
}
