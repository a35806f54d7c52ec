/** The tenant's settings as the API spells them, their ranges, and the conversion to the policy. */
import { z } from "zod";
import { StoreError } from "../db/client.ts";
import { locationHints } from "../location.ts";
import { maxWindowSteps } from "../otp/totp.ts";
import { parseNetwork } from "../sentinel/network/address.ts";
import { networkPattern } from "../sentinel/network/address-patterns.ts";
import { signalNames } from "../sentinel/reason.ts";
import {
  dropRemoved,
  kindPolicyOf,
  kindSettings,
  kindSettingsOf,
  kindSettingsPatch,
  mergeKindSettings,
  storedKindSettings,
} from "./kind-settings.ts";
import {
  passkeyPolicyOf,
  passkeySettingsOf,
  passkeySettings as passkeys,
} from "./passkey-settings.ts";
import { defaultPolicy, type TenantPolicy } from "./policy.ts";
import {
  earlierAuditSettings,
  readStoredRetention,
  retentionSettings as retention,
  storedRetention,
} from "./retention-settings.ts";
import { threshold } from "./threshold.ts";

const weekSeconds = 7 * 24 * 60 * 60;

function createIntegerSchema(min: number, max: number, example: number, description: string) {
  return z
    .int()
    .min(min)
    .max(max)
    .meta({ description, examples: [example] });
}

const networks = z
  .array(
    z
      .string()
      .meta({
        description:
          "An address or a network in CIDR notation. An IPv4-mapped network has a prefix of at least 96 bits.",
        pattern: networkPattern,
        examples: ["192.0.2.0/24"],
      })
      .transform((text, context) => {
        const network = parseNetwork(text);
        if (network !== undefined) return network.text;
        context.addIssue({ code: "custom", message: "must be an IP address or a CIDR network" });
        return z.NEVER;
      })
      .pipe(z.string().meta({ examples: ["192.0.2.0/24"] })),
  )
  .max(500);

const lockout = z.strictObject({
  max_failed_attempts: createIntegerSchema(1, 100, 5, "Consecutive failures that lock the user."),
  lock_seconds: createIntegerSchema(
    1,
    weekSeconds,
    900,
    "The length of the first lock. Each further lock is twice as long as the one before.",
  ),
  max_lock_seconds: createIntegerSchema(1, weekSeconds, 86_400, "The longest lock."),
  disable_after: createIntegerSchema(
    1,
    100,
    100,
    "Consecutive failures that disable TOTP. NIST allows at most 100.",
  ),
});
const otp = z.strictObject({
  enrolment: z.enum(["immediate", "confirm"]),
  window_steps: createIntegerSchema(
    0,
    maxWindowSteps,
    1,
    "Time steps before and after the current one whose codes are accepted.",
  ),
});
const sentinel = z.strictObject({
  challenge_at: threshold.meta({
    description: "A risk score from this value on is challenged.",
    examples: [0.5],
  }),
  deny_at: threshold.meta({
    description: "A risk score from this value on is denied.",
    examples: [0.8],
  }),
  allow: networks.meta({ description: "Trusted addresses and networks." }),
  deny: networks.meta({ description: "Addresses and networks that are never trusted." }),
  signals_off: z
    .array(z.enum(signalNames))
    .max(signalNames.length)
    .meta({ description: "Signals that score nothing.", examples: [["hour_of_week"]] }),
  kinds: kindSettings,
});

const exporting = z.strictObject({
  secrets: z.boolean().meta({
    description: "Whether a token with `idp:export` may export the TOTP secrets of all users.",
    examples: [false],
  }),
});

const location = z.strictObject({
  hint: z.enum(locationHints).nullable().meta({
    description:
      "The region near which new Durable Objects are created, such as those of new users. Null: near the first request for the object.",
  }),
});

export const settingsSchema = z
  .strictObject({
    lockout,
    otp,
    passkeys,
    sentinel,
    audit: earlierAuditSettings,
    retention,
    export: exporting,
    location,
  })
  .meta({
    id: "Settings",
    description: "The tenant's settings, with the defaults of those that it has not set.",
  });
/** All settings, by their present names. */
export type Settings = Omit<z.output<typeof settingsSchema>, "audit">;

export const sentinelPatchSchema = z.strictObject({
  ...sentinel.partial().shape,
  kinds: kindSettingsPatch.optional(),
});

export const settingsPatchSchema = z.strictObject({
  lockout: lockout.partial().optional(),
  otp: otp.partial().optional(),
  passkeys: passkeys.partial().optional(),
  sentinel: sentinelPatchSchema.optional(),
  audit: earlierAuditSettings.partial().optional(),
  retention: retention.partial().optional(),
  export: exporting.partial().optional(),
  location: location.partial().optional(),
});
/** The fields that a tenant has set, by their present names. Absent fields have their defaults. */
export type SettingsPatch = Omit<z.output<typeof settingsPatchSchema>, "audit">;

function settingsOf(policy: TenantPolicy): Settings {
  const {
    lockout: l,
    otp: o,
    passkeys: p,
    sentinel: s,
    retention: r,
    export: e,
    location: at,
  } = policy;
  return {
    lockout: {
      max_failed_attempts: l.maxFailedAttempts,
      lock_seconds: l.lockSeconds,
      max_lock_seconds: l.maxLockSeconds,
      disable_after: l.disableAfter,
    },
    otp: { enrolment: o.enrolment, window_steps: o.windowSteps },
    passkeys: passkeySettingsOf(p),
    sentinel: {
      challenge_at: s.challengeAt,
      deny_at: s.denyAt,
      allow: [...s.allow],
      deny: [...s.deny],
      signals_off: signalNames.filter((name) => s.signalsOff.includes(name)),
      kinds: kindSettingsOf(s.kinds),
    },
    retention: {
      archive_after_days: r.archiveAfterDays,
      personal_days: r.personalDays,
      assessment_days: r.assessmentDays,
    },
    export: { secrets: e.secrets },
    location: { hint: at.hint },
  };
}

const defaults = settingsOf(defaultPolicy);

/**
 * The form of stored settings. They were validated when they were written, so their networks are not parsed
 * again at each read. An older or newer version may have written other fields, which are ignored.
 */
const storedNetworks = z.array(z.string().regex(/^[0-9a-f:.]+\/\d{1,3}$/));
const storedSentinel = z.object({
  ...sentinel.shape,
  allow: storedNetworks,
  deny: storedNetworks,
  kinds: storedKindSettings,
});
const storedSettingsSchema = z.object({
  lockout: z.object(lockout.shape).partial().exactOptional(),
  otp: z.object(otp.shape).partial().exactOptional(),
  passkeys: z.object(passkeys.shape).partial().exactOptional(),
  sentinel: storedSentinel.partial().exactOptional(),
  ...storedRetention,
  export: z.object(exporting.shape).partial().exactOptional(),
  location: z.object(location.shape).partial().exactOptional(),
});

/** Reads the settings that a tenant has set. @throws StoreError if they are damaged: no default replaces them */
export function parseSettings(text: string): SettingsPatch {
  try {
    return readStoredRetention(storedSettingsSchema.parse(JSON.parse(text)));
  } catch (error) {
    throw new StoreError(error);
  }
}

function fillGroup<Group extends object>(
  all: Group,
  set: { readonly [Field in keyof Group]?: Group[Field] | undefined } = {},
): Group {
  const present = Object.entries(set).filter(([, value]) => value !== undefined);
  return { ...all, ...Object.fromEntries(present) };
}

/** Fills absent fields with the defaults. */
export function applyDefaults(set: SettingsPatch): Settings {
  return {
    lockout: fillGroup(defaults.lockout, set.lockout),
    otp: fillGroup(defaults.otp, set.otp),
    passkeys: fillGroup(defaults.passkeys, set.passkeys),
    sentinel: fillGroup(defaults.sentinel, {
      ...set.sentinel,
      kinds: dropRemoved(set.sentinel?.kinds),
    }),
    retention: fillGroup(defaults.retention, set.retention),
    export: fillGroup(defaults.export, set.export),
    location: fillGroup(defaults.location, set.location),
  };
}

/** Merges two patches field by field, as `json_patch` does in the store. */
export function mergePatch(set: SettingsPatch, patch: SettingsPatch): SettingsPatch {
  return {
    lockout: { ...set.lockout, ...patch.lockout },
    otp: { ...set.otp, ...patch.otp },
    passkeys: { ...set.passkeys, ...patch.passkeys },
    sentinel: {
      ...set.sentinel,
      ...patch.sentinel,
      kinds: mergeKindSettings(set.sentinel?.kinds, patch.sentinel?.kinds),
    },
    retention: { ...set.retention, ...patch.retention },
    export: { ...set.export, ...patch.export },
    location: { ...set.location, ...patch.location },
  };
}

/** A list is one field. */
function listFields(path: string, value: unknown): [string, unknown][] {
  if (typeof value !== "object" || value === null || Array.isArray(value)) return [[path, value]];
  return Object.entries(value).flatMap(([name, field]) => listFields(`${path}.${name}`, field));
}

/** The value of each field by its path, such as `lockout.lock_seconds`. */
export function fieldsOf(settings: Settings | SettingsPatch): ReadonlyMap<string, unknown> {
  return new Map(Object.entries(settings).flatMap(([group, fields]) => listFields(group, fields)));
}

export function policyOf(set: SettingsPatch): TenantPolicy {
  const {
    lockout: l,
    otp: o,
    passkeys: p,
    sentinel: s,
    retention: r,
    export: e,
    location: at,
  } = applyDefaults(set);
  return {
    lockout: {
      maxFailedAttempts: l.max_failed_attempts,
      lockSeconds: l.lock_seconds,
      maxLockSeconds: l.max_lock_seconds,
      disableAfter: l.disable_after,
    },
    otp: { enrolment: o.enrolment, windowSteps: o.window_steps },
    passkeys: passkeyPolicyOf(p),
    sentinel: {
      challengeAt: s.challenge_at,
      denyAt: s.deny_at,
      allow: s.allow,
      deny: s.deny,
      signalsOff: s.signals_off,
      kinds: kindPolicyOf(s.kinds),
    },
    retention: {
      archiveAfterDays: r.archive_after_days,
      personalDays: r.personal_days,
      assessmentDays: r.assessment_days,
    },
    export: { secrets: e.secrets },
    location: { hint: at.hint },
  };
}
