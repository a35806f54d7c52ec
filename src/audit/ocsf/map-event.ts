/**
 * An event of the trail as an event of the Open Cybersecurity Schema Framework (pure). docs/ocsf.md describes it.
 *
 * What no attribute of OCSF has room for is in `unmapped`, so that nothing of the event is lost.
 */
import type { ShownEvent } from "../show-event.ts";
import { type Row, rows } from "./rows.ts";
import {
  analyticType,
  classes,
  entityTypes,
  factors,
  findingStatuses,
  other,
  riskLevels,
  schemaVersion,
  severities,
  statuses,
  userTypes,
  verdicts,
} from "./schema.ts";

const product = { name: "Edge IDP", vendor_name: "Edge IDP" } as const;

/** An event of OCSF in JSON. Fields that are undefined are left out of the JSON. */
export interface OcsfEvent {
  readonly class_uid: number;
  readonly activity_id: number;
  /** Unix ms. */
  readonly time: number;
  readonly [attribute: string]: unknown;
}

function rowOf({ action, reason, details }: ShownEvent): Row {
  const values: Readonly<Record<string, unknown>> = { ...details, reason };
  const row = rows[action].find(({ when = {} }) =>
    Object.entries(when).every(([name, value]) => values[name] === value),
  );
  if (row === undefined) throw new Error(`The last row of ${action} has a condition`);
  return row;
}

function severityOf({ severity }: Row, { outcome }: ShownEvent) {
  const name = severity === "Informational" && outcome !== "success" ? "Low" : severity;
  return { severity_id: severities[name], severity: name };
}

function statusOf(row: Row, { outcome }: ShownEvent) {
  if (row.class === "detection_finding") {
    return { status_id: findingStatuses[row.status], status: row.status };
  }
  const status = outcome === "success" ? "Success" : "Failure";
  return { status_id: statuses[status], status };
}

function actorOf({ actor: { type, id, name, acting_for: actingFor } }: ShownEvent) {
  const names = { api_token: name ?? undefined, operator: "Operator", system: product.name };
  return {
    app_name: names[type],
    app_uid: id ?? undefined,
    user: actingFor === null ? undefined : { name: actingFor },
  };
}

function metadataOf(row: Row, event: ShownEvent, tenantId: string) {
  return {
    version: schemaVersion,
    product,
    // The profile that has the attributes of a verdict.
    profiles: "verdict" in row ? ["incident"] : undefined,
    log_name: "audit",
    event_code: event.action,
    uid: event.id,
    sequence: event.leaf_index,
    original_time: event.at,
    correlation_uid: event.request_id ?? undefined,
    tenant_uid: tenantId,
    is_truncated: event.details.truncated === true ? true : undefined,
  };
}

/** Whom the event is about, and from where that person's session came. */
function subjectOf({ target: { id: uid, external_id: name }, personal }: ShownEvent) {
  const { address, agent } = personal ?? {};
  return {
    user: { ...userTypes.user, uid, name: name ?? undefined },
    src_endpoint: address === undefined ? undefined : { ip: address },
    http_request: agent === undefined ? undefined : { user_agent: agent },
  };
}

/** Whether one event may stand for several requests. */
function isCounted({ action, outcome }: ShownEvent): boolean {
  return outcome === "refused" || action === "audit.read";
}

function textOf(value: unknown): string | undefined {
  return typeof value === "string" ? value : undefined;
}

function findingOf(row: Row & { class: "detection_finding" }, event: ShownEvent) {
  const { assessment_id: assessmentId, risk_score: score } = event.details;
  const { risk, verdict } = row;
  return {
    finding_info: {
      uid: textOf(assessmentId) ?? event.id,
      title: "Session with a risk",
      analytic: { ...analyticType, name: "Sentinel" },
    },
    evidences: [{ ...subjectOf(event), actor: actorOf(event) }],
    is_alert: verdict === undefined ? risk === "High" : undefined,
    risk_score: typeof score === "number" ? Math.round(score * 100) : undefined,
    risk_level_id: risk === undefined ? undefined : riskLevels[risk],
    risk_level: risk,
    verdict_id: verdict === undefined ? undefined : verdicts[verdict],
    verdict,
  };
}

/** The attributes that only some classes have. */
function attributesOf(row: Row, event: ShownEvent): Readonly<Record<string, unknown>> {
  const actor = actorOf(event);
  switch (row.class) {
    case "account_change":
    case "authentication": {
      const { class: className, factor } = row;
      return {
        actor,
        ...subjectOf(event),
        auth_factors: factor === undefined ? undefined : [factors[factor]],
        ...(className === "authentication" ? { service: { name: product.name } } : {}),
      };
    }
    case "entity_management":
      return { actor, entity: { ...entityTypes[row.entity], uid: event.target.id } };
    case "api_activity":
      return {
        actor,
        api: { operation: textOf(event.details.route) ?? row.operation ?? "unknown" },
        src_endpoint: {
          type_id: other,
          type: "API Client",
          uid: event.actor.id ?? event.target.id,
        },
      };
    case "detection_finding":
      return findingOf(row, event);
  }
}

/**
 * @param event as the API shows it
 * @param leafHash the hash that the tree has for the event, if the reader gets it
 */
export function toOcsf(
  event: ShownEvent,
  tenantId: string,
  leafHash: string | null = null,
): OcsfEvent {
  const row = rowOf(event);
  const { uid, name, categoryUid, categoryName } = classes[row.class];
  const { activity } = row;
  const { action, actor, target, outcome, reason, details, personal } = event;
  const { count } = details;
  return {
    metadata: metadataOf(row, event, tenantId),
    time: Date.parse(event.at),
    class_uid: uid,
    class_name: name,
    category_uid: categoryUid,
    category_name: categoryName,
    activity_id: activity.id,
    activity_name: activity.name,
    type_uid: uid * 100 + activity.id,
    type_name: `${name}: ${activity.id === other ? "Other" : activity.name}`,
    ...severityOf(row, event),
    ...statusOf(row, event),
    status_detail: reason ?? undefined,
    message: `${action}: ${outcome}${reason === null ? "" : ` (${reason})`}`,
    // Refusals and reads of the trail are counted. The `count` of another event is a detail.
    count: isCounted(event) && typeof count === "number" ? count : undefined,
    ...attributesOf(row, event),
    unmapped: {
      actor_type: actor.type,
      target: { type: target.type, id: target.id },
      outcome,
      details,
      nonce: personal?.nonce,
      personal_digest: event.personal_digest ?? undefined,
      erased: event.erased,
      expired: event.expired,
      leaf_hash: leafHash ?? undefined,
    },
  };
}
