/** Each reader gives exactly what the other system's software says of its users (test/cli/fixtures/README.md). */
import { describe, expect, it } from "vitest";
import type { Form } from "../../../packages/cli/src/import/entry.ts";
import { twoFas } from "../../../packages/cli/src/import/readers/2fas.ts";
import { aegis } from "../../../packages/cli/src/import/readers/aegis.ts";
import { auth0 } from "../../../packages/cli/src/import/readers/auth0.ts";
import { authentik } from "../../../packages/cli/src/import/readers/authentik.ts";
import { csv } from "../../../packages/cli/src/import/readers/csv.ts";
import { django } from "../../../packages/cli/src/import/readers/django.ts";
import { fusionauth } from "../../../packages/cli/src/import/readers/fusionauth.ts";
import { googleAuthenticator } from "../../../packages/cli/src/import/readers/google-authenticator.ts";
import { keycloak } from "../../../packages/cli/src/import/readers/keycloak.ts";
import { kratos } from "../../../packages/cli/src/import/readers/kratos.ts";
import { otpauth } from "../../../packages/cli/src/import/readers/otpauth.ts";
import { supabase } from "../../../packages/cli/src/import/readers/supabase.ts";
import { zitadel } from "../../../packages/cli/src/import/readers/zitadel.ts";
import { expectedSchema } from "../expected-users.ts";
import authentikText from "../fixtures/django/authentik.json?raw";
import authentikExpected from "../fixtures/django/authentik-expected.json?raw";
import djangoText from "../fixtures/django/dump.json?raw";
import djangoNaturalText from "../fixtures/django/dump-natural.json?raw";
import djangoExpected from "../fixtures/django/expected.json?raw";
import fusionauthExpected from "../fixtures/fusionauth/expected.json?raw";
import fusionauthText from "../fixtures/fusionauth/users.json?raw";
import googleExpected from "../fixtures/google-authenticator/expected.json?raw";
import googleText from "../fixtures/google-authenticator/one.txt?raw";
import googlePartsText from "../fixtures/google-authenticator/parts.txt?raw";
import keycloakExpected from "../fixtures/keycloak/expected.json?raw";
import keycloakText from "../fixtures/keycloak/realm.json?raw";
import kratosExpected from "../fixtures/kratos/expected.json?raw";
import kratosText from "../fixtures/kratos/identities.json?raw";
import otpauthExpected from "../fixtures/otpauth/expected.json?raw";
import otpauthText from "../fixtures/otpauth/uris.txt?raw";
import twoFasText from "../fixtures/written/2fas.json?raw";
import twoFasExpected from "../fixtures/written/2fas-expected.json?raw";
import aegisText from "../fixtures/written/aegis.json?raw";
import aegisExpected from "../fixtures/written/aegis-expected.json?raw";
import enrolmentsText from "../fixtures/written/auth0-enrolments.ndjson?raw";
import enrolmentsExpected from "../fixtures/written/auth0-enrolments-expected.json?raw";
import auth0Text from "../fixtures/written/auth0-users.json?raw";
import auth0Expected from "../fixtures/written/auth0-users-expected.json?raw";
import supabaseCsv from "../fixtures/written/supabase.csv?raw";
import supabaseJson from "../fixtures/written/supabase.json?raw";
import supabaseExpected from "../fixtures/written/supabase-expected.json?raw";
import csvText from "../fixtures/written/users.csv?raw";
import csvExpected from "../fixtures/written/users-expected.json?raw";
import zitadelText from "../fixtures/written/zitadel.json?raw";
import zitadelExpected from "../fixtures/written/zitadel-expected.json?raw";
import { describeRow, readAll, reasonsOf, usersOf } from "./read.ts";

interface Fixture {
  readonly title: string;
  readonly form: Form;
  readonly text: string;
  readonly expected: string;
  readonly idField?: string;
  /** Users and others that do not come along. */
  readonly reasons: readonly string[];
}

const passkeyless = "an enrolment that is no authenticator app cannot come along";
const phone = "a phone or an email address as a factor cannot come along";
const djangoReasons = [
  "left_out object 10 -: the device was never confirmed",
  "refused user with pk 5 erin: a device counts its steps from another time than 1970",
];

const fixtures: readonly Fixture[] = [
  {
    ...{ title: "Keycloak's realm", form: keycloak, text: keycloakText },
    expected: keycloakExpected,
    reasons: [
      "refused user 6 5f0c7a52-0000-4000-8000-000000000006: an authenticator counts (HOTP), and is not TOTP",
      "left_out user 7 5f0c7a52-0000-4000-8000-000000000007: it is the service account of a client, and no person",
    ],
  },
  {
    ...{ title: "Kratos' identities", form: kratos, text: kratosText, expected: kratosExpected },
    reasons: [
      "refused identity 5 f308b079-4110-5f3f-b73f-39d0637398db: its TOTP credential came without the secret; add include_credential=totp and include_credential=lookup_secret",
    ],
  },
  {
    ...{ title: "Django's dump", form: django, text: djangoText, expected: djangoExpected },
    reasons: djangoReasons,
  },
  {
    ...{ title: "Django's dump with natural keys", form: django, text: djangoNaturalText },
    expected: djangoExpected,
    reasons: djangoReasons.map((reason) => reason.replace("pk 5", "name erin")),
  },
  {
    ...{ title: "authentik's dump", form: authentik, text: authentikText },
    expected: authentikExpected,
    reasons: djangoReasons,
  },
  {
    ...{ title: "FusionAuth's import", form: fusionauth, text: fusionauthText },
    expected: fusionauthExpected,
    reasons: [`refused user 5 5f0c7a52-0000-4000-8000-000000000099: ${phone}`],
  },
  {
    ...{ title: "Google Authenticator's QR code", form: googleAuthenticator, text: googleText },
    ...{ expected: googleExpected, reasons: [] },
  },
  {
    ...{ title: "two QR codes in another order", form: googleAuthenticator, text: googlePartsText },
    ...{ expected: googleExpected, reasons: [] },
  },
  {
    ...{ title: "pyotp's URIs", form: otpauth, text: otpauthText, expected: otpauthExpected },
    reasons: [
      "refused line 6 -: the URI is not of TOTP, but of a code of another kind, such as HOTP",
    ],
  },
  {
    ...{ title: "Auth0's users", form: auth0, text: auth0Text, expected: auth0Expected },
    reasons: [`refused entry 3 carol: ${phone}`],
  },
  {
    ...{ title: "Auth0's enrolments", form: auth0, text: enrolmentsText },
    expected: enrolmentsExpected,
    reasons: [`refused entry 5 auth0|3: ${passkeyless}`],
  },
  {
    ...{ title: "ZITADEL's export", form: zitadel, text: zitadelText, expected: zitadelExpected },
    reasons: [],
  },
  ...[
    { title: "Supabase's factors as JSON", text: supabaseJson, place: "row", first: 0 },
    { title: "Supabase's factors as CSV", text: supabaseCsv, place: "line", first: 1 },
  ].map(({ title, text, place, first }) => ({
    ...{ title, form: supabase, text, expected: supabaseExpected },
    reasons: [
      `left_out ${place} ${4 + first} 5f0c7a52-0000-4000-8000-000000000002: the factor was never verified`,
      `refused ${place} ${5 + first} 5f0c7a52-0000-4000-8000-000000000003: a factor that is no authenticator app cannot come along`,
      `refused ${place} ${6 + first} 5f0c7a52-0000-4000-8000-000000000004: an authenticator's secret is encrypted; decrypt it with the key of the auth service`,
    ],
  })),
  {
    ...{ title: "Aegis' vault", form: aegis, text: aegisText, expected: aegisExpected },
    reasons: [
      "refused entry 4 dave: an entry is not of TOTP, but of another kind, such as HOTP or Steam",
      "refused entry 5 erin: an entry is not of TOTP, but of another kind, such as HOTP or Steam",
    ],
  },
  {
    ...{ title: "2FAS' backup", form: twoFas, text: twoFasText, expected: twoFasExpected },
    reasons: [
      "refused service 3 carol@example.com: a service is not of TOTP, but of another kind, such as HOTP or Steam",
    ],
  },
  {
    ...{ title: "the documented CSV", form: csv, text: csvText, expected: csvExpected },
    reasons: ["refused line 7 erin: an authenticator's secret is not base32 of 10 to 128 bytes"],
  },
];

describe("A reader", () => {
  it.each(fixtures)("gives the users of $title", async ({ form, text, expected, reasons }) => {
    const entries = await readAll(form, text);
    const wanted = expectedSchema.parse(JSON.parse(expected));
    const found = usersOf(entries).map(({ row }) => describeRow(row));
    const hashed = new Set(
      usersOf(entries)
        .filter(({ row }) => row.backup_codes !== undefined && "hashes" in row.backup_codes)
        .map(({ id }) => id),
    );
    expect(found).toEqual(
      wanted.map((user) => (hashed.has(user.external_id) ? { ...user, codes: [] } : user)),
    );
    expect(reasonsOf(entries)).toEqual(reasons);
  });

  it("gives Keycloak's recovery codes as the hashes of Keycloak", async () => {
    const dave = usersOf(await readAll(keycloak, keycloakText)).at(3);
    const codes = expectedSchema.parse(JSON.parse(keycloakExpected)).at(3)?.codes ?? [];
    const digests = await Promise.all(
      codes.map(async (code) => {
        const digest = await crypto.subtle.digest("SHA-512", new TextEncoder().encode(code));
        return btoa(String.fromCharCode(...new Uint8Array(digest)));
      }),
    );
    expect(digests).toHaveLength(12);
    expect(dave?.row.backup_codes).toEqual({ scheme: "sha512", hashes: digests });
  });

  it("says which part of a user cannot come along", async () => {
    const notes = usersOf([
      ...(await readAll(auth0, auth0Text)),
      ...(await readAll(auth0, enrolmentsText)),
    ]).flatMap((user) => user.notes.map((note) => `${user.id}: ${note}`));
    expect(notes).toEqual([
      `alice: ${phone}`,
      "auth0|1: its recovery code cannot come along, because Auth0 keeps a bcrypt hash of it",
    ]);
  });

  it.each([
    [keycloak, keycloakText, "username", ["alice", "bob", "carol", "dave", "erin"]],
    [kratos, kratosText, "email", ["alice", "bob", "carol", "dave"].map((n) => `${n}@example.com`)],
    [django, djangoText, "pk", ["1", "2", "3"]],
    [
      otpauth,
      otpauthText,
      "label",
      ["alice@example.com", "bob", "zoë, sales"].map((n) => `Acme & Söhne:${n}`),
    ],
    [zitadel, zitadelText, "username", ["alice", "bob"]],
  ] as const)("takes another field as the external_id (%#)", async (form, text, field, ids) => {
    const entries = await readAll(form, text, field);
    expect(usersOf(entries).map(({ row }) => row.external_id)).toEqual(ids);
  });
});
