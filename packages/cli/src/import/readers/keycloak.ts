/**
 * Keycloak: the JSON of `kc.sh export`, with one realm, several, or the users of one.
 *
 * A credential has its parameters and its secret as JSON in texts (`OTPCredentialModel`, `OTPCredentialData` and
 * `OTPSecretData` of keycloak-server-spi, 26.4). A secret without `secretEncoding` is its text itself, in UTF-8: what
 * Keycloak shows in Base32 is the encoding of these letters. Recovery codes are unsalted SHA-512 in Base64
 * (`RecoveryAuthnCodesUtils`).
 */
import { z } from "zod";
import { toHex } from "../../../../../src/crypto/bytes.ts";
import type { Entry, Form } from "../entry.ts";
import { describeShape, optionalNumber, optionalText, parseJson } from "../issues.ts";
import { readJsonStream } from "../json-stream.ts";
import { ReadError } from "../read-error.ts";
import {
  buildUser,
  type Checked,
  checkSecret,
  type FoundCodes,
  leaveOut,
  refuse,
} from "../user.ts";

const credentialSchema = z.object({
  type: z.string(),
  userLabel: optionalText,
  secretData: z.string().nullish(),
  credentialData: z.string().nullish(),
});
type Credential = z.output<typeof credentialSchema>;

const userSchema = z.object({
  id: optionalText,
  username: optionalText,
  email: optionalText,
  enabled: z.boolean().default(true),
  serviceAccountClientId: optionalText,
  credentials: z.array(credentialSchema).nullish(),
});

const otpData = z.object({
  subType: z.string(),
  digits: optionalNumber,
  period: optionalNumber,
  algorithm: optionalText,
  secretEncoding: optionalText,
});
const otpSecret = z.object({ value: z.string() });

const codesData = z.object({ algorithm: z.string(), hashIterations: optionalNumber });
const codesSecret = z.object({ codes: z.array(z.object({ encodedHashedValue: z.string() })) });
/** Older versions name SHA-512 after the signature algorithm with that hash. */
const sha512Names = ["SHA-512", "RS512"];

const noFactors = new Set(["password", "password-history"]);

function readOtp({ credentialData, secretData, userLabel }: Credential): Checked {
  const data = otpData.safeParse(parseJson(credentialData ?? "")).data;
  const secret = otpSecret.safeParse(parseJson(secretData ?? "")).data;
  if (data === undefined || secret === undefined) {
    return { problem: "an OTP credential is incomplete" };
  }
  if (data.subType !== "totp")
    return { problem: "an authenticator counts (HOTP), and is not TOTP" };
  const { digits, period, algorithm, secretEncoding } = data;
  const parameters = { digits, period, algorithm, name: userLabel };
  if (secretEncoding === undefined) {
    const bytes = new TextEncoder().encode(secret.value);
    return checkSecret({ ...parameters, secret: toHex(bytes), encoding: "hex" });
  }
  return secretEncoding.toUpperCase() === "BASE32"
    ? checkSecret({ ...parameters, secret: secret.value, encoding: "base32" })
    : { problem: "an authenticator's secret has an unknown encoding" };
}

function readCodes({ credentialData, secretData }: Credential): FoundCodes | string {
  const data = codesData.safeParse(parseJson(credentialData ?? "")).data;
  const secret = codesSecret.safeParse(parseJson(secretData ?? "")).data;
  if (data === undefined || secret === undefined) return "its recovery codes are incomplete";
  const { algorithm, hashIterations = 1 } = data;
  if (!sha512Names.includes(algorithm) || hashIterations !== 1) {
    return "its recovery codes are hashed in a way that cannot be verified";
  }
  return { scheme: "sha512", codes: secret.codes.map((code) => code.encodedHashedValue) };
}

function readUser(value: unknown, place: string, idField: string): Entry {
  const { data: user, error } = userSchema.safeParse(value);
  if (user === undefined) return refuse(place, undefined, describeShape(error));
  const { id, username, email, enabled } = user;
  const chosen = { id, username, email }[idField];
  if (user.serviceAccountClientId !== undefined) {
    return leaveOut(place, chosen, "it is the service account of a client, and no person");
  }
  const credentials = user.credentials ?? [];
  const sets = credentials.filter(({ type }) => type === "recovery-authn-codes").map(readCodes);
  const codes = sets.find((set) => typeof set !== "string");
  const others = credentials
    .map(({ type }) => type)
    .filter((type) => !noFactors.has(type) && !["otp", "recovery-authn-codes"].includes(type));
  return buildUser({
    ...{ place, id: chosen, isSuspended: !enabled },
    authenticators: credentials.filter(({ type }) => type === "otp").map(readOtp),
    ...(codes === undefined ? {} : { codes }),
    notes: [
      ...sets.filter((set) => typeof set === "string"),
      ...others.map((type) =>
        type.startsWith("webauthn")
          ? "its passkey or security key cannot come along, because it works on the old site alone"
          : "a credential of an unknown type cannot come along",
      ),
    ],
  });
}

export const keycloak: Form = {
  name: "keycloak",
  title: "a realm export of Keycloak with users",
  idFields: ["id", "username", "email"],
  async *read(chunks, { idField }) {
    let count = 0;
    // One realm or its users, or a list of realms.
    for await (const { value } of readJsonStream(chunks, ["$.users.*", "$.*.users.*"])) {
      count += 1;
      yield readUser(value, `user ${count}`, idField);
    }
    if (count > 0) return;
    throw new ReadError(
      "has no users; export the realm with `kc.sh export --file`, because the admin console leaves out users.",
    );
  },
};
