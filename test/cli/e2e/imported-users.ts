/** Verifies imported users over HTTP, with codes that oathtool and the npm package otpauth compute alike. */
import { spawnSync } from "node:child_process";
import { setTimeout as sleep } from "node:timers/promises";
import { type EdgeIdp, IdpError } from "@edge-idp/sdk";
import { Secret, TOTP } from "otpauth";
import type { ExpectedUser } from "../expected-users.ts";

const catchUpMs = 60_000;
const pollMs = 250;

type ExpectedSecret = ExpectedUser["secrets"][number];

function computeWithOathtool({ base32, algorithm, digits, period }: ExpectedSecret, now: number) {
  const options = [`--totp=${algorithm}`, `--digits=${digits}`, `--time-step-size=${period}s`];
  const at = `--now=@${Math.floor(now / 1000)}`;
  // The secret comes from standard input, because all users of a machine can read arguments.
  const { stdout } = spawnSync("oathtool", ["--base32", ...options, at, "-"], { input: base32 });
  return stdout.toString("utf8").trim();
}

/** @throws Error if the two programs differ */
function computeCode(secret: ExpectedSecret, now: number): string {
  const { base32, algorithm, digits, period } = secret;
  const totp = new TOTP({ secret: Secret.fromBase32(base32), algorithm, digits, period });
  const code = totp.generate({ timestamp: now });
  if (code === computeWithOathtool(secret, now)) return code;
  throw new Error("oathtool and otpauth compute different codes");
}

async function outcomeOf(verification: Promise<{ readonly method: string }>): Promise<string> {
  try {
    return (await verification).method;
  } catch (error) {
    if (error instanceof IdpError) return error.code;
    throw error;
  }
}

async function verifyUser(idp: EdgeIdp, user: ExpectedUser): Promise<readonly string[]> {
  const { external_id: id, status, secrets, codes } = user;
  const problems: string[] = [];
  const expectOutcome = (what: string, found: string, wanted: string) => {
    if (found !== wanted) problems.push(`${id}: ${what} gave ${found}, not ${wanted}`);
  };
  expectOutcome("its status", (await idp.users.get(id)).status, status);
  if (status === "suspended") await idp.users.reactivate(id);
  const held = (await idp.authenticators.list(id)).length;
  expectOutcome("the number of its authenticators", String(held), String(secrets.length));
  for (const secret of secrets) {
    const code = computeCode(secret, Date.now());
    expectOutcome(
      `a code of ${secret.algorithm}`,
      await outcomeOf(idp.otp.verify(id, code)),
      "totp",
    );
  }
  for (const code of codes) {
    expectOutcome("a backup code", await outcomeOf(idp.otp.verify(id, code)), "backup_code");
  }
  const [spent] = codes;
  if (spent !== undefined) {
    expectOutcome("a spent code", await outcomeOf(idp.otp.verify(id, spent)), "invalid_code");
  }
  return problems;
}

/** Reads the list until it has as many users as there should be, for it follows an import within seconds. */
export async function listUsers(idp: EdgeIdp, count: number): Promise<readonly string[]> {
  const end = Date.now() + catchUpMs;
  for (;;) {
    const ids: string[] = [];
    for await (const { external_id } of idp.users.list({ limit: 100 })) ids.push(external_id);
    if (ids.length >= count || Date.now() > end) return ids.toSorted();
    await sleep(pollMs);
  }
}

/**
 * Verifies a code of every secret, and every backup code, of every user. Other users must not exist.
 * @returns a sentence for each problem
 */
export async function verifyUsers(
  idp: EdgeIdp,
  expected: readonly ExpectedUser[],
): Promise<readonly string[]> {
  const problems: string[] = [];
  const listed = (await listUsers(idp, expected.length)).join(", ");
  const wanted = expected
    .map(({ external_id }) => external_id)
    .toSorted()
    .join(", ");
  if (listed !== wanted) problems.push(`the tenant has ${listed}, not ${wanted}`);
  for (const user of expected) problems.push(...(await verifyUser(idp, user)));
  return problems;
}
