/** Whole ceremonies of each kind of passkey, and the counter. */
import { describe, expect, it } from "vitest";
import { checkCounter } from "../../src/passkeys/counter.ts";
import { algorithms } from "../../src/passkeys/passkey.ts";
import { PasskeyAuthenticator } from "../support/passkey-authenticator.ts";
import {
  checkAuthentication,
  creationOptions,
  page,
  requestOptions,
  storePasskey,
} from "./ceremony.ts";

describe.each(algorithms)("A passkey with the algorithm %i", (algorithm) => {
  it.each([true, false])("is registered and then authenticates (synced: %s)", async (synced) => {
    const authenticator = new PasskeyAuthenticator({ algorithm, synced });
    const passkey = await storePasskey(await authenticator.create(creationOptions, page));
    expect(passkey).toMatchObject({
      algorithm,
      aaguid: "00000000-0000-0000-0000-000000000000",
      transports: ["hybrid", "internal"],
      backupEligible: synced,
      backedUp: synced,
      userVerified: true,
      signCount: synced ? 0 : 1,
    });
    const answer = await authenticator.get(requestOptions, page);
    expect(await checkAuthentication(answer, { passkey })).toEqual({
      ok: true,
      value: { userVerified: true, backedUp: synced, signCount: synced ? 0 : 2 },
    });
  });
});

describe("The counter", () => {
  const deviceBound = (signCount: number) => ({ signCount, backupEligible: false });

  it("grows, or is always 0", () => {
    expect(checkCounter(deviceBound(0), 0)).toBe("ok");
    expect(checkCounter(deviceBound(0), 1)).toBe("ok");
    expect(checkCounter(deviceBound(7), 8)).toBe("ok");
  });

  it("refuses a regression of a passkey that is bound to a device", () => {
    expect(checkCounter(deviceBound(7), 7)).toBe("regression_refused");
    expect(checkCounter(deviceBound(7), 0)).toBe("regression_refused");
  });

  it("notes a regression of a synced passkey", () => {
    expect(checkCounter({ signCount: 7, backupEligible: true }, 7)).toBe("regression_noted");
  });
});
