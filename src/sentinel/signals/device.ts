/** The signals about the known devices of the user (pure). */
import type { DeviceEvidence } from "../evidence.ts";
import { createReason, formatCount, type Reason } from "../reason.ts";
import { weights } from "../weights.ts";

const dayMs = 24 * 60 * 60 * 1000;

function formatAge(sinceMs: number): string {
  const days = Math.floor(sinceMs / dayMs);
  return days === 0 ? "less than a day" : formatCount(days, "day");
}

/**
 * @param habits what the signals about habits contribute together. A new browser has no device token either, so a
 *   missing token and new habits are to a part the same evidence: together they lead to a challenge, not to a denial
 */
export function findDeviceReasons(device: DeviceEvidence | undefined, habits: number): Reason[] {
  if (device === undefined) return [];
  const { knownDevice, noKnownDevice } = weights;
  if (!device.known) {
    const detail = "The user has known devices, and the session comes from none of them.";
    const strength = Math.max(0, Math.min(noKnownDevice.alone, noKnownDevice.withHabits - habits));
    return [createReason("no_known_device", strength, detail)];
  }
  const sinceMs = device.sinceVerifiedMs ?? 0;
  const share = 2 ** (-sinceMs / (knownDevice.halfwayDays * dayMs));
  const strength = knownDevice.longAgo + (knownDevice.now - knownDevice.longAgo) * share;
  const detail = `The session comes from a known device, on which the user was verified ${formatAge(sinceMs)} ago.`;
  return [createReason("known_device", strength, detail)];
}
