/**
 * The settings `sentinel.kinds`: thresholds by kind of attacker. A patch merges them kind by kind and threshold by
 * threshold, and null removes what it stands for (RFC 7396), as `json_patch` does in the store.
 */
import { z } from "zod";
import type { RiskPolicy } from "../sentinel/assessment.ts";
import { mapKinds } from "../sentinel/kinds.ts";
import { attackerKinds } from "../sentinel/weights.ts";
import { threshold } from "./threshold.ts";

const challengeAt = threshold.meta({
  description: "A session is challenged if the probability of this kind is at least this.",
  examples: [0.2],
});
const denyAt = threshold.meta({
  description: "A session is denied if the probability of this kind is at least this.",
  examples: [0.6],
});

const thresholds = z
  .strictObject({ challenge_at: challengeAt.optional(), deny_at: denyAt.optional() })
  .meta({ id: "KindThresholds", examples: [{ challenge_at: 0.2 }] });

const thresholdsPatch = z
  .strictObject({
    challenge_at: challengeAt.nullable().optional(),
    deny_at: denyAt.nullable().optional(),
  })
  .meta({ examples: [{ challenge_at: 0.2 }] });

const description =
  "Thresholds by kind of attacker, compared with `kinds` of an assessment. They raise the recommendation that follows from the score, and never lower it.";

export const kindSettings = z
  .strictObject(mapKinds(() => thresholds.optional()))
  .meta({ description, examples: [{ phisher: { challenge_at: 0.2 } }] });
export type KindSettings = z.output<typeof kindSettings>;

export const kindSettingsPatch = z
  .strictObject(mapKinds(() => thresholdsPatch.nullable().optional()))
  .meta({
    description: `${description} Null removes a threshold, or both of a kind.`,
    examples: [{ phisher: { challenge_at: 0.2 } }],
  });
export type KindSettingsPatch = z.output<typeof kindSettingsPatch>;

/** Another version may have stored other kinds and fields, which are ignored. */
export const storedKindSettings = z.object(
  mapKinds(() =>
    z.object({ challenge_at: threshold.optional(), deny_at: threshold.optional() }).optional(),
  ),
);

export function mergeKindSettings(
  set: KindSettingsPatch = {},
  patch: KindSettingsPatch = {},
): KindSettingsPatch {
  return mapKinds((kind) => {
    const change = patch[kind];
    return change ? { ...set[kind], ...change } : change === null ? null : set[kind];
  });
}

/** The thresholds without those that are removed, and without kinds that have none left. */
export function dropRemoved(merged: KindSettingsPatch = {}): KindSettings {
  const kept = attackerKinds.flatMap((kind) => {
    const { challenge_at = null, deny_at = null } = merged[kind] ?? {};
    if (challenge_at === null && deny_at === null) return [];
    const fields = {
      ...(challenge_at === null ? {} : { challenge_at }),
      ...(deny_at === null ? {} : { deny_at }),
    };
    return [[kind, fields] as const];
  });
  return Object.fromEntries(kept);
}

export function kindPolicyOf(settings: KindSettings): NonNullable<RiskPolicy["kinds"]> {
  const set = attackerKinds.flatMap((kind) => {
    const { challenge_at: challengeAt, deny_at: denyAt } = settings[kind] ?? {};
    return settings[kind] === undefined ? [] : [[kind, { challengeAt, denyAt }] as const];
  });
  return Object.fromEntries(set);
}

export function kindSettingsOf(policy: RiskPolicy["kinds"] = {}): KindSettings {
  return dropRemoved(
    mapKinds((kind) => ({
      challenge_at: policy[kind]?.challengeAt ?? null,
      deny_at: policy[kind]?.denyAt ?? null,
    })),
  );
}
