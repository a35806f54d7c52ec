/** Settings that contradict each other (pure). */
import { attackerKinds } from "../sentinel/weights.ts";
import { fieldsOf, type Settings, type SettingsPatch } from "./settings.ts";

/** A relying party without an origin would accept no passkey. */
function findMissingOrigins({ passkeys }: Settings, patched: ReadonlyMap<string, unknown>) {
  const { rp_id: rpId, origins } = passkeys;
  const isNamed = patched.has("passkeys.rp_id") || patched.has("passkeys.origins");
  return rpId !== null && origins.length === 0 && isNamed
    ? [{ path: "passkeys.origins", message: "must have at least 1 item(s), because rp_id is set" }]
    : [];
}

/** Two fields of which one must not be less than the other, and their values. */
interface Order {
  readonly path: string;
  readonly notLessThan: string;
  readonly value: number;
  readonly min: number;
}

function listKindOrders({ kinds }: Settings["sentinel"]): readonly Order[] {
  return attackerKinds.flatMap((kind) => {
    const { challenge_at: min, deny_at: value } = kinds[kind] ?? {};
    if (min === undefined || value === undefined) return [];
    const path = `sentinel.kinds.${kind}`;
    return [{ path: `${path}.deny_at`, notLessThan: `${path}.challenge_at`, value, min }];
  });
}

function listOrders({ lockout: l, sentinel: s }: Settings): readonly Order[] {
  return [
    ...listKindOrders(s),
    {
      path: "lockout.max_lock_seconds",
      notLessThan: "lockout.lock_seconds",
      value: l.max_lock_seconds,
      min: l.lock_seconds,
    },
    {
      path: "lockout.disable_after",
      notLessThan: "lockout.max_failed_attempts",
      value: l.disable_after,
      min: l.max_failed_attempts,
    },
    {
      path: "sentinel.deny_at",
      notLessThan: "sentinel.challenge_at",
      value: s.deny_at,
      min: s.challenge_at,
    },
  ];
}

/**
 * Finds fields that contradict each other.
 * @param patch limits the search to contradictions with its fields, because one that was stored earlier must
 *   not prevent other changes
 * @returns the path and a message for each contradiction
 */
export function findContradictions(settings: Settings, patch: SettingsPatch = settings) {
  const patched = fieldsOf(patch);
  const orders = listOrders(settings)
    .filter(({ value, min }) => value < min)
    .filter(({ path, notLessThan }) => patched.has(path) || patched.has(notLessThan))
    .map(({ path, notLessThan }) => ({
      path,
      message: `must not be less than ${notLessThan.replace(/^.*\./, "")}`,
    }));
  return [...orders, ...findMissingOrigins(settings, patched)];
}
