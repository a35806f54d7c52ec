import { base64urlnopad } from "@scure/base";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { identityIdOfHandle, passkeyIdOf, userHandleOf } from "../../src/passkeys/user-handle.ts";

const ids = fc
  .uint8Array({ minLength: 12, maxLength: 12 })
  .map((bytes) => bytes.reduce((text, byte) => text + byte.toString(16).padStart(2, "0"), ""));

describe("A user handle", () => {
  it("is the 12 bytes of the identity id", () => {
    expect(userHandleOf("000102030405060708090aff")).toBe("AAECAwQFBgcICQr_");
    fc.assert(
      fc.property(ids, (id) => {
        expect(identityIdOfHandle(userHandleOf(id))).toBe(id);
      }),
    );
  });

  it.each(["", "AAECAwQFBgcICQr", "AAECAwQFBgcICQr_AA", "AAECAwQFBgcICQr/", "AAECAwQFBgcICQr_="])(
    "has one spelling, so that '%s' is none",
    (handle) => {
      expect(identityIdOfHandle(handle)).toBeUndefined();
    },
  );
});

describe("The id of a passkey", () => {
  it("depends on the tenant and the bytes of the credential id", () => {
    // printf 'tenant\0\1\2\3' | sha256sum
    const credentialId = base64urlnopad.encode(new Uint8Array([1, 2, 3]));
    expect(passkeyIdOf("tenant", credentialId)).toBe("5d21156ef2a68085468d9c72");
    expect(passkeyIdOf("tenant2", credentialId)).not.toBe(passkeyIdOf("tenant", credentialId));
  });
});
