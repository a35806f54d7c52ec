/** Builds what a guard delivers to D1: the record, and the sealed and stamped contents of its outbox. */
import type { AuditEvent, FiledEvent } from "../../audit/event.ts";
import { type AuditKey, type OpenAuditKey, resealParts } from "../../audit/personal.ts";
import type { DayKey } from "../../audit/personal-keys/day.ts";
import { stampEvents } from "../../audit/stamp.ts";
import { minRetentionDays } from "../../audit/tree/archive.ts";
import { toCanonicalJson } from "../../crypto/canonical.ts";
import { computeSha256Hex } from "../../crypto/digest.ts";
import { versionOf } from "../../crypto/sealed-box.ts";
import { requireConfig } from "../../env.ts";
import type { PasskeyClaim } from "../../identity/passkey-claim.ts";
import type { IdentityRecord } from "../../identity/store.ts";
import { requireMatchingKeys } from "../../keys/key-check.ts";
import type {
  AssessmentRecord,
  DecidedAssessment,
  VerdictRecord,
} from "../../sentinel/assessment.ts";
import { sealAssessment } from "../../sentinel/assessments/store.ts";
import { findSealingDayKey } from "../../tenancy/sealing-day-key.ts";
import { heldClaimsOf } from "../decisions/held-claims.ts";
import { formatRecordedState } from "../decisions/recorded-state.ts";
import type { IdentityState } from "../decisions/state.ts";
import { AuditKeys } from "./audit-keys.ts";
import type { WaitingEntry } from "./outbox-entry.ts";

/** The archive takes no event that is younger, with an hour for clocks that differ. */
const minArchiveAgeMs = (minRetentionDays * 24 - 1) * 60 * 60 * 1000;

export interface VersionedState {
  readonly state: IdentityState;
  /** Grows by one with every change, and never starts over after an erasure. */
  readonly version: number;
}

/** What a guard has to deliver: entries of its outbox, with its present state. */
export interface PendingDelivery extends VersionedState {
  readonly entries: readonly WaitingEntry[];
  /** The number of the last entry. */
  readonly lastSeq: number;
  /** The last entry that the guard found when it started; 0 if there was none. */
  readonly lastFoundSeq: number;
}

/** A delivery as D1 gets it: sealed and stamped. It crosses the queue as JSON. */
export interface Delivery {
  readonly record: IdentityRecord;
  readonly events: readonly FiledEvent[];
  readonly assessments: readonly AssessmentRecord[];
  readonly verdicts: readonly VerdictRecord[];
  /** Claims of passkeys; absent in what the queue got from an older build. */
  readonly claims?: {
    /** Those of the passkeys that the identity has. */
    readonly held: readonly PasskeyClaim[];
    /** Those of passkeys that it no longer has. */
    readonly released: readonly PasskeyClaim[];
  };
  /** The id of the user's audit key, which the next user of the same name does not have. Null after an erasure. */
  readonly auditKeyId: string | null;
  /** Versions of the keys that are needed to read the record. */
  readonly keys: { readonly sealing: readonly number[]; readonly backupCodes: readonly number[] };
}

/** Versions of the sealing keys that the state's boxes are under. */
export function sealingVersionsOf(state: IdentityState): number[] {
  const { totp, pendingTotp, authenticators, auditKey } = state;
  const added = authenticators.map(({ sealed }) => sealed);
  const boxes = [totp?.sealed, pendingTotp?.sealed, ...added, auditKey?.sealed];
  return boxes.flatMap((box) => (box === undefined ? [] : (versionOf(box) ?? [])));
}

function buildRecord(state: IdentityState, version: number, realNow: number): IdentityRecord {
  const erased = state.status === "erased";
  return {
    tenantId: state.tenantId,
    id: state.identityId,
    externalId: erased ? null : state.externalId,
    status: state.status,
    lockedUntil: state.lockout.lockedUntil,
    createdAt: state.createdAt,
    // A tombstone ages in real time, whatever clock the erasing request used.
    updatedAt: erased ? realNow : state.updatedAt,
    version,
    state: erased ? null : formatRecordedState(state),
  };
}

/**
 * Adds the digest, which a decision would have to compute without WebCrypto, and the sealed evidence. The evidence itself
 * stays, for a queue's consumer of an older build.
 */
async function complete(assessment: DecidedAssessment, dayKey: DayKey): Promise<AssessmentRecord> {
  const evidenceDigest = await computeSha256Hex(toCanonicalJson(assessment.evidence));
  return { ...(await sealAssessment(dayKey, assessment)), evidenceDigest };
}

async function completeAll(
  entries: readonly WaitingEntry[],
  findDayKey: () => Promise<DayKey>,
): Promise<AssessmentRecord[]> {
  const decided = entries.flatMap(({ assessment }) => assessment ?? []);
  if (decided.length === 0) return [];
  const dayKey = await findDayKey();
  return await Promise.all(decided.map((assessment) => complete(assessment, dayKey)));
}

interface DeliveryKeys {
  /** Under which the session of an event may have been sealed before the event was recorded. */
  readonly auditKey: OpenAuditKey;
  /** Derived from it and from the day key. */
  readonly derived: OpenAuditKey;
}

function namesPerson({ personal, sealed }: AuditEvent): boolean {
  return personal !== null || sealed !== undefined;
}

/**
 * What waited for its delivery is sealed under the audit key alone, so that no request waits for the day keys. It is
 * sealed anew here. Parts that are sealed under another key are of an earlier user, and nobody can open them.
 */
async function addDay(event: AuditEvent, { auditKey, derived }: DeliveryKeys): Promise<AuditEvent> {
  const { sealed, tenantId, target } = event;
  if (sealed?.personalKey !== auditKey.id) return event;
  const owner = { tenantId, identityId: target.id };
  return { ...event, sealed: await resealParts(auditKey, derived, owner, sealed) };
}

/**
 * @param realNow Unix ms
 * @param isRepeated whether the guard has probably delivered the entry before
 * @param auditKeys the guard's open audit key
 * @param findDayKey finds the tenant's day key; called only if an event names a person, or there is an
 *   assessment
 * @throws ConfigError; MismatchedKeysError: under keys that do not match, nothing is sealed or stamped; StoreError
 *   without the day key
 */
export async function buildDelivery(
  env: Env,
  { state, version, entries }: PendingDelivery,
  realNow: number,
  {
    isRepeated = (_entry: WaitingEntry): boolean => false,
    auditKeys = new AuditKeys(),
    findDayKey = (): Promise<DayKey> => findSealingDayKey(env, state, realNow),
  } = {},
): Promise<Delivery> {
  const { auditKey, backupCodes } = state;
  const config = requireConfig(env);
  await requireMatchingKeys(env, config, realNow);
  // An erased identity has no audit key: its events are filed without personal parts.
  if (auditKey === null) auditKeys.clear();
  const isKeyNeeded = entries.some(({ events }) => events.some(namesPerson));
  const openKeys = async (sealed: AuditKey): Promise<DeliveryKeys> => {
    const dayKey = await findDayKey();
    const open = await auditKeys.open(config.sealingKeys, state, sealed);
    return { auditKey: open, derived: await auditKeys.derive(open, dayKey) };
  };
  const keys = auditKey !== null && isKeyNeeded ? await openKeys(auditKey) : undefined;
  const stamped = await Promise.all(
    entries.map(async (entry): Promise<readonly FiledEvent[]> => {
      const events =
        keys === undefined
          ? entry.events
          : await Promise.all(entry.events.map((event) => addDay(event, keys)));
      const ofEntry = await stampEvents(config.auditSigningKeys, events, keys?.derived);
      const isRepeatedEntry = isRepeated(entry);
      return ofEntry.map((event, index) => {
        const { accepted } = entry.events[index] ?? {};
        const { writtenAt = event.at } = entry;
        return {
          ...event,
          ...(accepted === undefined ? {} : { accepted }),
          ...(isRepeatedEntry && writtenAt < realNow - minArchiveAgeMs
            ? { repeatedSince: writtenAt }
            : {}),
        };
      });
    }),
  );
  return {
    record: buildRecord(state, version, realNow),
    events: stamped.flat(),
    assessments: await completeAll(entries, findDayKey),
    verdicts: entries.flatMap(({ verdict }) => verdict ?? []),
    claims: {
      held: heldClaimsOf(state),
      released: entries.flatMap(({ releasedClaims }) => releasedClaims ?? []),
    },
    auditKeyId: auditKey?.id ?? null,
    keys: {
      sealing: sealingVersionsOf(state),
      backupCodes: backupCodes === null ? [] : [backupCodes.keyVersion],
    },
  };
}
