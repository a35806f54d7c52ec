/**
 * The settings that limit how long data is kept. One of them had another name, `audit.retention_days`, which requests
 * may still use, which answers still have, and under which the store keeps the value
 * ([decision 171](../../docs/decisions/0171-one-stored-name.md)).
 */
import { z } from "zod";
import { minRetentionDays } from "../audit/tree/archive.ts";
import { createInvalidRequest } from "../errors.ts";
import { minAssessmentDays } from "../sentinel/assessments/expire.ts";

/** The shortest time after which personal parts expire. It is far longer than an event waits for its delivery. */
export const minPersonalDays = 30;
const maxDays = 3_650;

const archiveAfterDays = z.int().min(minRetentionDays).max(maxDays);

export const retentionSettings = z.strictObject({
  archive_after_days: archiveAfterDays.meta({
    description:
      "Events that arrived more days ago move from the database to the archive, if one is configured. No event is deleted.",
    examples: [400],
  }),
  personal_days: z
    .int()
    .min(minPersonalDays)
    .max(maxDays)
    .nullable()
    .meta({
      description:
        "The personal parts of events and assessments that arrived more days ago are destroyed. Null: they stay until the user is erased.",
      examples: [90],
    }),
  assessment_days: z
    .int()
    .min(minAssessmentDays)
    .max(400)
    .meta({
      description:
        "Older assessments are deleted. What Sentinel has learned about a user stays in the user's history.",
      examples: [90],
    }),
});
type RetentionSettings = z.output<typeof retentionSettings>;

export const earlierAuditSettings = z.strictObject({
  retention_days: archiveAfterDays.meta({
    deprecated: true,
    description:
      "The earlier name of `retention.archive_after_days`, which has the same value. The next version removes it.",
    examples: [400],
  }),
});

/** The groups `audit` and `retention` of a patch. */
interface PatchWithEarlierName {
  readonly audit?: { readonly retention_days?: number | undefined } | undefined;
  readonly retention?:
    | { readonly [Name in keyof RetentionSettings]?: RetentionSettings[Name] | undefined }
    | undefined;
}

/**
 * Turns the earlier name of a patch into the present one.
 * @param root the path of the patch in the request
 * @throws AppError `invalid_request` if the patch has both names with different values
 */
export function replaceEarlierName<Patch extends PatchWithEarlierName>(
  { audit, ...patch }: Patch,
  root: string,
): Omit<Patch, "audit"> {
  const earlier = audit?.retention_days;
  if (earlier === undefined) return patch;
  const { archive_after_days: present = earlier } = patch.retention ?? {};
  if (present !== earlier) {
    const message =
      "must have the value of retention.archive_after_days, of which it is the earlier name, or be left out";
    throw createInvalidRequest([{ path: `${root}.audit.retention_days`, message }]);
  }
  return { ...patch, retention: { ...patch.retention, archive_after_days: present } };
}

/** Adds the earlier name, as answers show it. */
export function addEarlierName<Settings extends { readonly retention: RetentionSettings }>(
  settings: Settings,
): Settings & { readonly audit: z.output<typeof earlierAuditSettings> } {
  return { ...settings, audit: { retention_days: settings.retention.archive_after_days } };
}

/** Where the store keeps the fields of this group. */
export const storedRetentionPaths = {
  archive_after_days: "audit.retention_days",
  personal_days: "retention.personal_days",
  assessment_days: "retention.assessment_days",
} as const satisfies Record<keyof RetentionSettings, string>;

/** The groups of stored settings that hold the fields of this one. */
export const storedRetention = {
  audit: z.object(earlierAuditSettings.shape).partial().exactOptional(),
  retention: z
    .object(retentionSettings.omit({ archive_after_days: true }).shape)
    .partial()
    .exactOptional(),
};

/** Reads the group from the two in which the store keeps it. */
export function readStoredRetention<Stored extends PatchWithEarlierName>({
  audit,
  ...stored
}: Stored): Omit<Stored, "audit"> {
  const days = audit?.retention_days;
  return days === undefined
    ? stored
    : { ...stored, retention: { ...stored.retention, archive_after_days: days } };
}

/** The form in which the store keeps settings, or merges a patch into them. */
export function toStoredRetention<Patch extends Pick<PatchWithEarlierName, "retention">>(
  patch: Patch,
): object {
  const { archive_after_days: days, ...retention } = patch.retention ?? {};
  return days === undefined ? patch : { ...patch, retention, audit: { retention_days: days } };
}
