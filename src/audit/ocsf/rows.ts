/** Which event of OCSF an action of the trail becomes (pure). docs/ocsf.md shows this table. */
import type { AuditAction } from "../event.ts";
import {
  type ActivityOf,
  type ClassName,
  classes,
  type EntityType,
  type FactorName,
  type findingStatuses,
  other,
  type riskLevels,
  type Severity,
  type verdicts,
} from "./schema.ts";

/** An activity of the class, or one of our own, for which OCSF has the number of `Other`. */
interface Activity {
  readonly id: number;
  readonly name: string;
}

interface Common {
  /** The row is for events with these values only, each the reason or a detail of the event. */
  readonly when?: Readonly<Record<string, string>>;
  readonly activity: Activity;
  /** Of a success. Any other outcome is at least `Low`. */
  readonly severity: Severity;
}

export type Row = Common &
  (
    | { readonly class: "account_change"; readonly factor?: FactorName }
    | { readonly class: "authentication"; readonly factor?: FactorName }
    | { readonly class: "entity_management"; readonly entity: EntityType }
    | {
        readonly class: "api_activity";
        /** What the client called, if the event does not name it as `details.route`. */
        readonly operation?: string;
      }
    | {
        readonly class: "detection_finding";
        readonly status: keyof typeof findingStatuses;
        readonly risk?: keyof typeof riskLevels;
        readonly verdict?: keyof typeof verdicts;
      }
  );

function act<Class extends ClassName>(
  name: Class,
  activity: ActivityOf<Class> & string,
): { readonly class: Class; readonly activity: Activity } {
  const ids: Readonly<Record<string, number>> = classes[name].activities;
  return { class: name, activity: { id: ids[activity] ?? other, name: activity } };
}

/** An activity that the class has no number for. */
function actOtherwise<Class extends ClassName>(
  name: Class,
  activity: string,
): { readonly class: Class; readonly activity: Activity } {
  return { class: name, activity: { id: other, name: activity } };
}

const info = { severity: "Informational" } as const;
const low = { severity: "Low" } as const;
const medium = { severity: "Medium" } as const;
const high = { severity: "High" } as const;
const organization = { entity: "Organization" } as const;
const apiToken = { entity: "API Token" } as const;
const webhook = { entity: "Webhook" } as const;
const stream = { entity: "Stream" } as const;
const otp = { factor: "OTP" } as const;
const backupCode = { factor: "Backup Code" } as const;
const passkey = { factor: "WebAuthn" } as const;

/** Of the rows of an action, the first whose `when` holds counts. The last one has none. */
export const rows: Readonly<Record<AuditAction, readonly Row[]>> = {
  "tenant.created": [{ ...act("entity_management", "Create"), ...organization, ...info }],
  "tenant.relocated": [{ ...act("entity_management", "Move"), ...organization, ...info }],
  "tenant.deletion_started": [
    { ...actOtherwise("entity_management", "Deletion Start"), ...organization, ...high },
  ],
  "tenant.deleted": [{ ...act("entity_management", "Delete"), ...organization, ...high }],
  "tenant.renamed": [{ ...act("entity_management", "Update"), ...organization, ...info }],
  "tenant.suspended": [{ ...act("entity_management", "Suspend"), ...organization, ...medium }],
  "tenant.reactivated": [{ ...act("entity_management", "Resume"), ...organization, ...info }],
  "settings.changed": [{ ...act("entity_management", "Update"), entity: "Policy", ...low }],
  "token.created": [{ ...act("entity_management", "Create"), ...apiToken, ...low }],
  "token.rotated": [{ ...act("entity_management", "Update"), ...apiToken, ...info }],
  "token.revoked": [{ ...act("entity_management", "Delete"), ...apiToken, ...info }],
  "user.provisioned": [{ ...act("account_change", "Create"), ...info }],
  "user.suspended": [{ ...act("account_change", "Disable"), ...low }],
  "user.reactivated": [{ ...act("account_change", "Enable"), ...info }],
  "user.locked": [{ ...act("account_change", "Lock"), ...medium }],
  "user.unlocked": [{ ...act("account_change", "Unlock"), ...low }],
  "user.erased": [{ ...act("account_change", "Delete"), ...low }],
  "otp.configured": [
    {
      when: { enrolment: "confirm" },
      ...actOtherwise("account_change", "MFA Factor Pending"),
      ...otp,
      ...info,
    },
    { ...act("account_change", "MFA Factor Enable"), ...otp, ...info },
  ],
  "otp.imported": [
    { when: { result: "created" }, ...act("account_change", "Create"), ...info },
    { ...act("account_change", "MFA Factor Enable"), ...otp, ...info },
  ],
  "otp.confirmed": [{ ...act("account_change", "MFA Factor Enable"), ...otp, ...info }],
  "otp.verified": [
    {
      when: { method: "backup_code" },
      ...act("authentication", "Logon"),
      ...backupCode,
      ...info,
    },
    { ...act("authentication", "Logon"), ...otp, ...info },
  ],
  "otp.disabled": [{ ...act("account_change", "MFA Factor Disable"), ...otp, ...high }],
  "otp.removed": [{ ...act("account_change", "MFA Factor Disable"), ...otp, ...low }],
  "authenticator.added": [
    {
      when: { enrolment: "confirm" },
      ...actOtherwise("account_change", "MFA Factor Pending"),
      ...otp,
      ...info,
    },
    { ...act("account_change", "MFA Factor Enable"), ...otp, ...info },
  ],
  "authenticator.renamed": [
    { ...actOtherwise("account_change", "MFA Factor Rename"), ...otp, ...info },
  ],
  "authenticator.removed": [{ ...act("account_change", "MFA Factor Disable"), ...otp, ...low }],
  "backup_codes.generated": [
    { ...act("account_change", "MFA Factor Enable"), ...backupCode, ...info },
  ],
  "passkey.registered": [{ ...act("account_change", "MFA Factor Enable"), ...passkey, ...info }],
  "passkey.verified": [
    // A copy of the authenticator explains a counter that went back.
    { when: { reason: "counter" }, ...act("authentication", "Logon"), ...passkey, ...high },
    { ...act("authentication", "Logon"), ...passkey, ...info },
  ],
  "passkey.renamed": [
    { ...actOtherwise("account_change", "MFA Factor Rename"), ...passkey, ...info },
  ],
  "passkey.removed": [{ ...act("account_change", "MFA Factor Disable"), ...passkey, ...low }],
  "device.remembered": [{ ...actOtherwise("account_change", "Device Remember"), ...info }],
  "device.removed": [{ ...actOtherwise("account_change", "Device Removal"), ...info }],
  "session.assessed": [
    {
      when: { reason: "deny" },
      ...act("detection_finding", "Create"),
      status: "New",
      risk: "High",
      ...high,
    },
    {
      when: { reason: "challenge" },
      ...act("detection_finding", "Create"),
      status: "New",
      risk: "Medium",
      ...medium,
    },
    { ...act("authentication", "Preauth"), ...info },
  ],
  "session.judged": [
    {
      when: { reason: "fraud" },
      ...act("detection_finding", "Update"),
      status: "In Progress",
      verdict: "True Positive",
      ...high,
    },
    {
      ...act("detection_finding", "Close"),
      status: "Suppressed",
      verdict: "Benign",
      ...info,
    },
  ],
  "session.imported": [{ ...actOtherwise("account_change", "Session Import"), ...info }],
  "secrets.exported": [
    { ...actOtherwise("api_activity", "Secret Export"), operation: "exportUsers", ...high },
  ],
  "audit.exported": [{ ...act("api_activity", "Read"), operation: "exportAudit", ...low }],
  // Several operations read the trail, and one event counts them together.
  "audit.read": [{ ...act("api_activity", "Read"), operation: "readAudit", ...info }],
  "personal.expired": [
    { ...actOtherwise("entity_management", "Personal Data Expiry"), ...organization, ...info },
  ],
  "request.refused": [{ ...actOtherwise("api_activity", "Refusal"), ...low }],
  "webhook.created": [{ ...act("entity_management", "Create"), ...webhook, ...low }],
  "webhook.changed": [{ ...act("entity_management", "Update"), ...webhook, ...low }],
  "webhook.rotated": [{ ...act("entity_management", "Update"), ...webhook, ...info }],
  "webhook.replayed": [{ ...actOtherwise("entity_management", "Replay"), ...webhook, ...info }],
  "webhook.disabled": [{ ...act("entity_management", "Disable"), ...webhook, ...medium }],
  "webhook.removed": [{ ...act("entity_management", "Delete"), ...webhook, ...low }],
  "stream.created": [{ ...act("entity_management", "Create"), ...stream, ...low }],
  "stream.changed": [{ ...act("entity_management", "Update"), ...stream, ...low }],
  "stream.replayed": [{ ...actOtherwise("entity_management", "Replay"), ...stream, ...info }],
  "stream.removed": [{ ...act("entity_management", "Delete"), ...stream, ...medium }],
};
