/**
 * Device tokens: `dvc_` and 160 random bits in base64url. A browser keeps its token, so that a later session shows
 * that the user was verified there before.
 */
import { base64urlnopad } from "@scure/base";
import { joinParts } from "../crypto/bytes.ts";
import { sha256HexOf } from "../crypto/digest.ts";
import { createId } from "../crypto/id.ts";
import type { Owner } from "../crypto/seal-context.ts";
import type { AddedDevice } from "./decisions/devices.ts";
import type { GuardCall, GuardResult } from "./decisions/transition.ts";

const prefix = "dvc_";
const randomBytes = 20;

/**
 * The stored form of a token: SHA-256 over tenant, identity and token, hex. So a digest is worth nothing in the state
 * of another identity. With 160 random bits no slower hash is needed.
 */
export function digestDeviceToken({ tenantId, identityId }: Owner, token: string): string {
  return sha256HexOf(joinParts(tenantId, identityId, token));
}

interface PreparedDevice {
  /** The call with a new device, if it asks for one. */
  readonly call: GuardCall;
  /** What is shown once. */
  readonly secrets: Readonly<Record<string, string>>;
  /** Adds the token to an answer that says that the device is remembered. */
  readonly complete: <T extends AddedDevice>(result: GuardResult<T>) => GuardResult<T>;
}

/** Creates a device, if the call asks for one, before the decision that may remember it. */
export function prepareDevice(call: GuardCall): PreparedDevice {
  const { device, now } = call;
  if (device?.remember == null) return { call, secrets: {}, complete: (result) => result };
  const deviceToken =
    prefix + base64urlnopad.encode(crypto.getRandomValues(new Uint8Array(randomBytes)));
  const created = { id: createId(now), digest: digestDeviceToken(call, deviceToken) };
  return {
    call: { ...call, device: { ...device, created } },
    secrets: { deviceToken },
    complete: (result) =>
      result.ok && result.value.device?.status === "new"
        ? { ...result, value: { ...result.value, deviceToken } }
        : result,
  };
}
