/** Names for the bodies of the API. Their fields are spelled as on the wire. */
import type { components, operations } from "./generated/api.ts";

type Schemas = components["schemas"];
type Query<Operation extends keyof operations> = NonNullable<
  operations[Operation]["parameters"]["query"]
>;
/** The filters of a list, with the size of its pages. */
type Filters<Operation extends keyof operations> = Omit<Query<Operation>, "after">;

/** The filters of a list that has none: the size of its pages. */
export type PageFilters = Filters<"listTokens">;

export type Issue = Schemas["Issue"];
export type Reason = Schemas["Reason"];

export type ProvisionedUser = Schemas["ProvisionUserResult"]["user"];
export type Profile = Schemas["Profile"];
export type ListedUser = Schemas["ListUsersResult"]["users"][number];
export type UserFilters = Filters<"listUsers">;

/** A user from another system, to be imported. */
export type ImportedUser = Schemas["ImportedUser"];
/** What becomes of rows whose user exists, and whether anything changes. */
export type ImportOptions = Omit<Schemas["ImportUsersInput"], "users">;
/** What became of an imported user. */
export type ImportResult = Schemas["ImportResult"];
/** A user with the TOTP secrets in clear. */
export type ExportedUser = Schemas["ExportedUser"];

export type OtpSetup = Schemas["ConfigureOtpResult"]["user"];
export type VerifyOtpResult = Schemas["VerifyOtpResult"];

/** An authenticator of a user: one TOTP secret, which is not shown. */
export type Authenticator = Schemas["Authenticator"];
export type AuthenticatorSetup = Schemas["AddAuthenticatorResult"]["authenticator"];
export type NewAuthenticator = Schemas["AddAuthenticatorInput"]["authenticator"] & {
  /** `svg` adds the QR code to the answer, as `qrcode_svg`. */
  readonly qr?: "svg" | undefined;
};

/** What verify takes besides user and code. */
export type VerifyOtpInput = Omit<Schemas["VerifyOtpInput"]["otp"], "id" | "code">;

export type Passkey = Schemas["Passkey"];
/** What the browser gets to create a passkey, in the JSON form of Web Authentication Level 3. */
export type PasskeyCreationOptions = Schemas["PublicKeyCredentialCreationOptions"];
/** What the browser gets to use a passkey. */
export type PasskeyRequestOptions = Schemas["PublicKeyCredentialRequestOptions"];
/** The new passkey, as the browser sends it. */
export type PasskeyRegistration = Schemas["RegistrationResponse"];
/** The proof of a passkey, as the browser sends it. */
export type PasskeyAuthentication = Schemas["AuthenticationResponse"];
export type PasskeyRegistrationOptions =
  Schemas["CreatePasskeyRegistrationOptionsResult"]["passkey"];
export type PasskeyAuthenticationOptions =
  Schemas["CreatePasskeyAuthenticationOptionsResult"]["passkey"];
/** The names of the user in the dialogs of devices. The service does not store them. */
export type PasskeyUserNames = Schemas["CreatePasskeyRegistrationOptionsInput"]["passkey"];
export type RegisterPasskeyInput = Schemas["RegisterPasskeyInput"]["passkey"];
export type PasskeyList = Schemas["ListPasskeysResult"];
export type VerifyPasskeyInput = Schemas["VerifyPasskeyInput"]["passkey"];
export type VerifyPasskeyResult = Schemas["VerifyPasskeyResult"];
export type StepUpKeys = Schemas["ListStepUpKeysResult"];
/** What an answer says of the device that the request came from. */
export type Device = Schemas["Device"];
export type KnownDevice = Schemas["KnownDevice"];

export type DiscoverResult = Schemas["DiscoverResult"];
export type SessionContext = Schemas["DiscoverInput"]["sentinel"]["context"];
/** The probability of each kind of attacker, such as `phisher`, and of the real user (`real`). The sum is 1. */
export type Kinds = NonNullable<DiscoverResult["kinds"]>;
/** A past session of a user, to be imported. */
export type PastSession = Schemas["ImportSessionsInput"]["sessions"][number];
/** What became of a past session. */
export type ImportedSession = Schemas["ImportedSession"];
export type StoredAssessment = Schemas["Assessment"];
/** A stored assessment with the numbers behind its score. */
export type ExplainedAssessment = Schemas["ExplainedAssessment"];
export type Explanation = Schemas["Explanation"];
export type ExplanationStep = Schemas["ExplanationStep"];
export type AssessmentFilters = Filters<"listAssessments">;
export type SimulationInput = Schemas["SimulatePolicyInput"]["simulation"];
export type Simulation = Schemas["SimulatePolicyResult"]["simulation"];
export type Feeds = Schemas["ListFeedsResult"];

export type AuditEvent = Schemas["AuditEvent"];
/** An event of the export, with its leaf of the tree. */
export type ExportedEvent = AuditEvent & { readonly leaf_hash: string };
/** An event in the schema of OCSF, whose class says which attributes it has. */
export interface OcsfEvent {
  readonly class_uid: number;
  readonly activity_id: number;
  /** Unix ms. */
  readonly time: number;
  /** `uid` is the id of the event, `sequence` its leaf index. */
  readonly metadata: { readonly uid: string; readonly sequence: number; readonly version: string };
  readonly [attribute: string]: unknown;
}
export type AuditEventFilters = Filters<"listAuditEvents">;
/** Leaf indexes: `from` inclusive, `to` exclusive. */
export type ExportRange = Omit<Query<"exportAudit">, "format">;
/** A range in the format `native`, unless it says otherwise. */
export type ExportQuery = Query<"exportAudit">;
export type Checkpoint = Schemas["Checkpoint"];
export type NewestCheckpoint = Schemas["GetCheckpointResult"];
export type EventProof = Schemas["ProveAuditEventResult"];
/** One event with everything that proves it. Its event has no `actor.name`, which the leaf does not contain. */
export type AuditEventBundle = Schemas["AuditEventBundle"];
export type ConsistencyProof = Schemas["ProveAuditConsistencyResult"]["proof"];
export type AuditPublicKey = Schemas["AuditPublicKey"];
export type StatisticsQuery = Query<"getStatistics">;
export type Statistics = Schemas["GetStatisticsResult"];

export type NewStream = Schemas["CreateStreamInput"]["stream"];
export type StreamChange = Schemas["ChangeStreamInput"]["stream"];
export type Stream = Schemas["Stream"];
export type StreamAttempt = Schemas["StreamAttempt"];
/** What came of a test of a webhook or a stream. */
export type TestAttempt = Schemas["TestAttempt"];

export type Permission = Schemas["CreateTokenInput"]["token"]["permissions"][number];
export type NewToken = Schemas["CreateTokenInput"]["token"];
/** `secret` is the token itself. The service shows it only here. */
export type IssuedApiToken = Schemas["IssuedApiToken"];
export type ApiToken = Schemas["ApiToken"];
/** What the token of a request may do, and for which tenant. */
export type OwnToken = Schemas["GetOwnTokenResult"]["token"];

export type NewWebhook = Schemas["CreateWebhookInput"]["webhook"];
/** `secret` signs the messages. The service shows it only here. */
export type IssuedWebhook = Schemas["IssuedWebhook"];
export type Webhook = Schemas["Webhook"];
export type WebhookPatch = Schemas["ChangeWebhookInput"]["webhook"];
export type DeliveryAttempt = Schemas["DeliveryAttempt"];

export type TenantSettings = Schemas["GetSettingsResult"];
export type SettingsPatch = Schemas["ChangeSettingsInput"]["settings"];

export type NewTenant = Schemas["CreateTenantInput"]["tenant"];
export type CreatedTenant = Schemas["CreateTenantResult"];
export type Tenant = Schemas["Tenant"];
export type TenantPatch = Schemas["ChangeTenantInput"]["tenant"];
export type TenantFilters = Filters<"listTenants">;
export type TenantDeletion = Schemas["TenantDeletion"];
export type Usage = Schemas["GetUsageResult"]["usage"];
export type Relocation = Schemas["Relocation"];
export type StatisticsRebuild = Schemas["RebuildStatisticsResult"]["rebuild"];

export type KeyList = Schemas["ListKeysResult"];
export type ReEncryption = Schemas["ReEncryption"];
export type Readiness = Schemas["ReadinessResult"];
export type ServiceHealth = Schemas["GetHealthResult"]["health"];
export type FoundRequest = Schemas["FindRequestResult"]["request"];
