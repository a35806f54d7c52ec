import { describe, expect, it } from "vitest";
import document from "../../../docs/ocsf.md?raw";
import type { DecryptedEvent } from "../../../src/audit/decrypt-events.ts";
import { auditActions, auditOutcomes } from "../../../src/audit/event.ts";
import { toOcsf } from "../../../src/audit/ocsf/map-event.ts";
import { type Row, rows } from "../../../src/audit/ocsf/rows.ts";
import { classes, schemaVersion } from "../../../src/audit/ocsf/schema.ts";
import { showEvent } from "../../../src/audit/show-event.ts";
import { findOcsfProblems, publishedVersion } from "../../support/ocsf.ts";

const event: DecryptedEvent = {
  tenantId: "67c9a1b2c3d4e5f60718293a",
  leafIndex: 7,
  id: "6908bffd1c2e4a5b9d7f0a31",
  at: Date.UTC(2026, 0, 2, 3, 4, 5, 678),
  actorType: "api_token",
  actorId: "6a7f2c1e0b9d4e5f8a3c1d20",
  actorName: "backend",
  action: "otp.verified",
  targetType: "identity",
  targetId: "6b1d2e3f4a5b6c7d8e9f0a1b",
  personalKey: "0123456789abcdef01234567",
  personal: "sealed",
  personalDigest: "d".repeat(64),
  outcome: "failure",
  reason: "invalid_code",
  requestId: "6c7d8e9f0a1b2c3d4e5f6071",
  details: { method: "totp", failed_attempts: 3 },
  stamp: "stamp",
  erased: false,
  expired: false,
  parts: {
    external_id: "user-1",
    address: "192.0.2.1",
    agent: "Agent/1.0",
    acting_for: "agent-7",
    nonce: "e".repeat(32),
  },
};

/** The event as a reader gets it. */
function map(changes: Partial<DecryptedEvent> = {}): Record<string, unknown> {
  return JSON.parse(JSON.stringify(toOcsf(showEvent({ ...event, ...changes }), event.tenantId)));
}

/** The values of an event that this row is for. */
function valuesOf({ when = {} }: Row): Pick<DecryptedEvent, "reason" | "details"> {
  const { reason = null, ...details } = when;
  return { reason, details: { ...details, assessment_id: "b".repeat(24), risk_score: 0.87 } };
}

const everyRow = auditActions.flatMap((action) => rows[action].map((row) => ({ action, row })));

describe("an event of the trail in the schema of OCSF", () => {
  it("has a row for each action, and the last row of an action holds for every event", () => {
    expect(Object.keys(rows).toSorted()).toEqual(auditActions.toSorted());
    expect(auditActions.filter((action) => rows[action].at(-1)?.when !== undefined)).toEqual([]);
  });

  it("follows the published schema, whatever the action, the outcome, the actor and the persons", () => {
    expect(schemaVersion).toBe(publishedVersion);
    const erased = { parts: null, erased: true };
    const anonymous = { actorId: null, actorName: null, requestId: null };
    const circumstances: Partial<DecryptedEvent>[] = [
      ...auditOutcomes.map((outcome) => ({ outcome })),
      { outcome: "refused", details: { count: 12, route: "verifyOtp" } },
      ...[erased, { actorName: null }, { parts: { nonce: "f" } }],
      ...[{ ...anonymous, actorType: "operator" as const }],
      ...[{ ...anonymous, ...erased, actorType: "system" as const }],
    ];
    const problems = everyRow.flatMap(({ action, row }) =>
      circumstances.flatMap((one) =>
        findOcsfProblems(map({ action, ...valuesOf(row), ...one })).map(
          (problem) => `${action}: ${problem}`,
        ),
      ),
    );
    expect([...new Set(problems)]).toEqual([]);
  });

  it("is checked against rules that find what is wrong", () => {
    const good = map();
    expect(findOcsfProblems({ ...good, user: {} })).toEqual([
      "user.has none of account, name, uid",
    ]);
    expect(findOcsfProblems({ ...good, activity_id: 42 })).toEqual(["activity_id has no value 42"]);
    expect(findOcsfProblems({ ...good, status: "Failed" })).toEqual([
      'status is "Failed", not Failure',
    ]);
    expect(findOcsfProblems({ ...good, verdict_id: 2 })).toEqual([
      "verdict_id is not in the schema",
    ]);
    expect(findOcsfProblems({ ...good, time: "now" })).toEqual(["time is no timestamp_t"]);
    expect(findOcsfProblems({ ...good, user: null })).toEqual(["user.is no object"]);
  });

  it("names the event, its time, its place in the log, who acted, for whom, and from where", () => {
    expect(map()).toEqual({
      metadata: {
        version: "1.8.0",
        product: { name: "Edge IDP", vendor_name: "Edge IDP" },
        log_name: "audit",
        event_code: "otp.verified",
        uid: event.id,
        sequence: 7,
        original_time: "2026-01-02T03:04:05.678Z",
        correlation_uid: event.requestId,
        tenant_uid: event.tenantId,
      },
      time: event.at,
      class_uid: 3002,
      class_name: "Authentication",
      category_uid: 3,
      category_name: "Identity & Access Management",
      activity_id: 1,
      activity_name: "Logon",
      type_uid: 300201,
      type_name: "Authentication: Logon",
      severity_id: 2,
      severity: "Low",
      status_id: 2,
      status: "Failure",
      status_detail: "invalid_code",
      message: "otp.verified: failure (invalid_code)",
      actor: { app_name: "backend", app_uid: event.actorId, user: { name: "agent-7" } },
      user: { type_id: 1, type: "User", uid: event.targetId, name: "user-1" },
      src_endpoint: { ip: "192.0.2.1" },
      http_request: { user_agent: "Agent/1.0" },
      auth_factors: [{ factor_type_id: 7, factor_type: "OTP", is_totp: true }],
      service: { name: "Edge IDP" },
      unmapped: {
        actor_type: "api_token",
        target: { type: "identity", id: event.targetId },
        outcome: "failure",
        details: event.details,
        nonce: event.parts?.nonce,
        personal_digest: event.personalDigest,
        erased: false,
        expired: false,
      },
    });
  });

  it("shows a risk and its verdict as one finding, which the assessment names", () => {
    const details = { assessment_id: "b".repeat(24), risk_score: 0.95 };
    const session = { outcome: "success", details } as const;
    const denied = map({ ...session, action: "session.assessed", reason: "deny" });
    expect(denied).toMatchObject({
      class_uid: 2004,
      activity_name: "Create",
      severity: "High",
      status: "New",
      risk_score: 95,
      risk_level: "High",
      is_alert: true,
      finding_info: { uid: details.assessment_id },
      evidences: [{ user: { name: "user-1" }, src_endpoint: { ip: "192.0.2.1" } }],
    });
    const judged = { action: "session.judged", outcome: "success", details } as const;
    expect(map({ ...judged, reason: "fraud" })).toMatchObject({
      activity_name: "Update",
      verdict: "True Positive",
      severity: "High",
      metadata: { profiles: ["incident"] },
      finding_info: { uid: details.assessment_id },
    });
    expect(map({ ...judged, reason: "legitimate" })).toMatchObject({
      activity_name: "Close",
      status: "Suppressed",
      verdict: "Benign",
    });
    expect(map({ ...session, action: "session.assessed", reason: "allow" })).toMatchObject({
      class_uid: 3002,
      activity_name: "Preauth",
      severity: "Informational",
    });
  });

  it("names no person who was erased, and stays the same otherwise", () => {
    const erased = map({ parts: null, erased: true });
    const text = JSON.stringify(erased);
    for (const part of Object.values(event.parts ?? {})) expect(text).not.toContain(part);
    expect(erased).toMatchObject({
      metadata: { uid: event.id, sequence: 7 },
      user: { uid: event.targetId },
      unmapped: { erased: true, personal_digest: event.personalDigest },
    });
  });

  it("is described in docs/ocsf.md, row by row", () => {
    const shown = everyRow.map(({ action, row }) => {
      const { class: className, activity, severity, when = {} } = row;
      const { uid, name } = classes[className];
      const conditions = Object.entries(when).map(
        ([field, value]) => `\`${field}\` is \`${value}\``,
      );
      const object = "entity" in row ? row.entity : "factor" in row ? row.factor : undefined;
      const cells = [`\`${action}\``, conditions.join(", "), `${name} ${uid}`];
      cells.push(`${activity.name} ${activity.id}`, severity, object ?? "");
      return `| ${cells.join(" | ")} |`.replaceAll(/ +/g, " ");
    });
    const written = document
      .split("\n")
      .filter((line) => /^\| `[a-z_]+\.[a-z_]+` \|.* \d{4} \|/.test(line));
    expect(written).toEqual(shown);
  });
});
