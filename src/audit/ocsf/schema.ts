/**
 * The part of the Open Cybersecurity Schema Framework that the service uses, as numbers (pure).
 * Source: https://schema.ocsf.io/1.8.0. test/audit/ocsf/ compares these numbers with the published schema.
 */

export const schemaVersion = "1.8.0";

interface EventClass {
  readonly uid: number;
  readonly name: string;
  readonly categoryUid: number;
  readonly categoryName: string;
  /** `activity_id` by name. `Other` stands for an activity with a name of its own. */
  readonly activities: Readonly<Record<string, number>>;
}

const iam = { categoryUid: 3, categoryName: "Identity & Access Management" } as const;

export const classes = {
  account_change: {
    uid: 3001,
    name: "Account Change",
    ...iam,
    activities: {
      Create: 1,
      Enable: 2,
      Disable: 5,
      Delete: 6,
      Lock: 9,
      Unlock: 12,
      "MFA Factor Enable": 10,
      "MFA Factor Disable": 11,
    },
  },
  authentication: {
    uid: 3002,
    name: "Authentication",
    ...iam,
    activities: { Logon: 1, Preauth: 6 },
  },
  entity_management: {
    uid: 3004,
    name: "Entity Management",
    ...iam,
    activities: {
      Create: 1,
      Update: 3,
      Delete: 4,
      Move: 5,
      Disable: 9,
      Suspend: 12,
      Resume: 13,
    },
  },
  api_activity: {
    uid: 6003,
    name: "API Activity",
    categoryUid: 6,
    categoryName: "Application Activity",
    activities: { Read: 2 },
  },
  detection_finding: {
    uid: 2004,
    name: "Detection Finding",
    categoryUid: 2,
    categoryName: "Findings",
    activities: { Create: 1, Update: 2, Close: 3 },
  },
} as const satisfies Record<string, EventClass>;

export type ClassName = keyof typeof classes;
export type ActivityOf<Class extends ClassName> = keyof (typeof classes)[Class]["activities"];

/** `activity_id` and `type_id` of what the schema has no number for. A name says what it is. */
export const other = 99;

export const severities = { Informational: 1, Low: 2, Medium: 3, High: 4 } as const;
export type Severity = keyof typeof severities;

export const statuses = { Success: 1, Failure: 2 } as const;
export const findingStatuses = { New: 1, "In Progress": 2, Suppressed: 3 } as const;
export const verdicts = { "True Positive": 2, Benign: 5 } as const;
export const riskLevels = { Medium: 2, High: 3 } as const;

export const factors = {
  OTP: { factor_type_id: 7, factor_type: "OTP", is_totp: true },
  "Backup Code": { factor_type_id: other, factor_type: "Backup Code" },
  WebAuthn: { factor_type_id: 10, factor_type: "WebAuthn" },
} as const;
export type FactorName = keyof typeof factors;

export const entityTypes = {
  Organization: { type_id: 4, type: "Organization" },
  Policy: { type_id: 5, type: "Policy" },
  "API Token": { type_id: other, type: "API Token" },
  Webhook: { type_id: other, type: "Webhook" },
  Stream: { type_id: other, type: "Stream" },
} as const;
export type EntityType = keyof typeof entityTypes;

export const userTypes = { user: { type_id: 1, type: "User" } } as const;
/** Behavioral: Sentinel compares a session with what is usual for the user. */
export const analyticType = { type_id: 2, type: "Behavioral" } as const;
