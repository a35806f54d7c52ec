/** Cases of the guard's methods for passkeys, with the events of each. */
import type { GuardResult } from "../../src/guard/decisions/transition.ts";
import { parseAuthentication, parseRegistration } from "../../src/passkeys/parse.ts";
import type { Deviations } from "../support/passkey-authenticator.ts";
import {
  createLoginBody,
  createRegistrationBody,
  givePasskey,
  page,
  rpId,
  setUpPasskeys,
} from "../support/passkeys.ts";
import type { Case, Scene } from "./case.ts";

const ceremony = {
  relyingParty: { id: rpId, origins: [page.origin], topOrigins: [] },
  userVerification: "required",
} as const;

async function register({ user, guard, call }: Scene, deviations: Deviations = {}) {
  const { challenge, credential } = (await createRegistrationBody(user, deviations)).passkey;
  const answer = parseRegistration(credential);
  if (!answer.ok) throw new Error(answer.message);
  return await guard.registerPasskey(
    { ...call, now: Date.now() },
    {
      ...ceremony,
      answer: answer.value,
      challenge,
      name: null,
      recentVerificationSeconds: 600,
    },
  );
}

interface Login {
  readonly deviations?: Deviations;
  readonly isNamed?: boolean;
  readonly between?: (scene: Scene, passkeyId: string) => Promise<unknown>;
}

async function logIn(
  scene: Scene,
  { deviations = {}, isNamed = true, between = async () => {} }: Login = {},
) {
  const { user, guard, call } = scene;
  const { authenticator, passkeyId } = await givePasskey(user);
  const body = await createLoginBody(user, authenticator, deviations);
  const { challenge, credential } = body.passkey;
  await between(scene, passkeyId);
  const answer = parseAuthentication(credential);
  if (!answer.ok) throw new Error(answer.message);
  const attempt = { ...ceremony, answer: answer.value, challenge, isNamed };
  return await guard.verifyPasskey({ ...call, now: Date.now() }, attempt);
}

const setUp = async ({ user }: Scene) => await setUpPasskeys(user.tenant);
const suspend = async ({ user }: Scene) =>
  await user.tenant.send("PATCH", user.path(), { user: { status: "suspended" } });
const remove = async ({ user }: Scene, passkeyId: string) =>
  await user.tenant.send("DELETE", user.path(`/passkeys/${passkeyId}`));
const erase = async ({ user }: Scene) => await user.tenant.send("DELETE", user.path());

function createCase(
  title: string,
  act: (scene: Scene) => Promise<GuardResult<unknown>>,
  ...expectedEvents: readonly string[]
): Case {
  return { title, before: setUp, act, expectedEvents };
}

export const passkeyCases = {
  register: [
    createCase("with a right answer", register, "passkey.registered success"),
    createCase(
      "with an answer of another page",
      (scene) => register(scene, { rpId: "evil.example" }),
      "passkey.registered failure rp_id",
    ),
    createCase(
      "with an answer to another challenge",
      (scene) => register(scene, { challenge: "AQ" }),
      "passkey.registered failure challenge",
    ),
  ],
  verify: [
    createCase("with a right answer", logIn, "passkey.verified success"),
    createCase(
      "with an answer of another page",
      (scene) => logIn(scene, { deviations: { rpId: "evil.example" } }),
      "passkey.verified failure rp_id",
    ),
    createCase(
      "with a counter that does not grow",
      (scene) => logIn(scene, { deviations: { signCount: 1 } }),
      "passkey.verified failure counter",
    ),
    createCase(
      "with the challenge of another kind of login",
      (scene) => logIn(scene, { isNamed: false }),
      "passkey.verified refused challenge",
    ),
    createCase(
      "with a passkey that was removed",
      (scene) => logIn(scene, { between: remove }),
      "passkey.verified refused passkey_unknown",
    ),
    createCase(
      "for a suspended user",
      (scene) => logIn(scene, { between: suspend }),
      "passkey.verified refused user_suspended",
    ),
    createCase("for an unknown user", (scene) => logIn(scene, { between: erase })),
  ],
  rename: [
    createCase(
      "of a passkey",
      async ({ user, guard, call }) => {
        const { passkeyId } = await givePasskey(user);
        return await guard.renamePasskey(call, passkeyId, "renamed");
      },
      "passkey.renamed success",
    ),
    createCase(
      "of an unknown passkey",
      async ({ guard, call }) => await guard.renamePasskey(call, "0".repeat(24), "renamed"),
      "passkey.renamed refused passkey_not_found",
    ),
  ],
  remove: [
    createCase(
      "of a passkey",
      async ({ user, guard, call }) => {
        const { passkeyId } = await givePasskey(user);
        return await guard.removePasskey(call, passkeyId);
      },
      "passkey.removed success",
    ),
    createCase(
      "of an unknown passkey",
      async ({ guard, call }) => await guard.removePasskey(call, "0".repeat(24)),
      "passkey.removed refused passkey_not_found",
    ),
  ],
} as const;
