import { verifyRegistrationResponse } from "@simplewebauthn/server";
import { expect, it } from "vitest";
import { PasskeyAuthenticator } from "../support/passkey-authenticator.ts";
import { creationOptions, page, challenge } from "./ceremony.ts";
it("x", async () => {
  const a = new PasskeyAuthenticator();
  const answer = await a.create(creationOptions, page);
  const r = await verifyRegistrationResponse({ response: answer as never, expectedChallenge: challenge, expectedOrigin: page.origin, expectedRPID: "example.org" });
  expect(r.verified).toBe(true);
});
