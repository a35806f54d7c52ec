/** What a reader refuses, each in one sentence that shows no secret. */
import { describe, expect, it } from "vitest";
import type { Form } from "../../../packages/cli/src/import/entry.ts";
import { ReadError } from "../../../packages/cli/src/import/read-error.ts";
import { twoFas } from "../../../packages/cli/src/import/readers/2fas.ts";
import { aegis } from "../../../packages/cli/src/import/readers/aegis.ts";
import { auth0 } from "../../../packages/cli/src/import/readers/auth0.ts";
import { authentik } from "../../../packages/cli/src/import/readers/authentik.ts";
import { authy } from "../../../packages/cli/src/import/readers/authy.ts";
import { csv } from "../../../packages/cli/src/import/readers/csv.ts";
import { django } from "../../../packages/cli/src/import/readers/django.ts";
import { edgeIdp } from "../../../packages/cli/src/import/readers/edge-idp.ts";
import { fusionauth } from "../../../packages/cli/src/import/readers/fusionauth.ts";
import { googleAuthenticator } from "../../../packages/cli/src/import/readers/google-authenticator.ts";
import { keycloak } from "../../../packages/cli/src/import/readers/keycloak.ts";
import { kratos } from "../../../packages/cli/src/import/readers/kratos.ts";
import { otpauth } from "../../../packages/cli/src/import/readers/otpauth.ts";
import { supabase } from "../../../packages/cli/src/import/readers/supabase.ts";
import { zitadel } from "../../../packages/cli/src/import/readers/zitadel.ts";
import partsText from "../fixtures/google-authenticator/parts.txt?raw";
import { readAll, reasonsOf, usersOf } from "./read.ts";

const secret = "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP";
const other = "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ";

/** A user of Keycloak with one credential. */
function realmWith(credentialData: unknown, secretData: unknown, type = "otp"): string {
  const credential = {
    type,
    credentialData: JSON.stringify(credentialData),
    secretData: JSON.stringify(secretData),
  };
  return JSON.stringify({ realm: "acme", users: [{ id: "alice", credentials: [credential] }] });
}

function vaultWith(info: Readonly<Record<string, unknown>>): string {
  const entry = { type: "totp", name: "alice", issuer: "Acme", info: { secret, ...info } };
  return JSON.stringify({ version: 1, header: {}, db: { version: 2, entries: [entry] } });
}

const totp = { subType: "totp", digits: 6, period: 30, algorithm: "HmacSHA1" };

describe("A file that is not of the form", () => {
  it.each<readonly [Form, string, string]>([
    [keycloak, '{"realm":"acme"}', "has no users; export the realm with `kc.sh export"],
    [keycloak, "not JSON", "is not JSON after character 0."],
    [keycloak, '{"users":[{"id":"alice"}', "is not JSON after character"],
    [kratos, "[]", "has no identities."],
    [auth0, "", "has no users."],
    [zitadel, '{"users":[]}', "has no human users in its orgs."],
    [fusionauth, "{}", "has no users."],
    [supabase, "id,user_id\n1,2\n", "has no column factor_type, status, secret in its header."],
    [supabase, "", "is empty."],
    [django, "[]", "has no devices; make it with `manage.py dumpdata auth.user"],
    [authentik, "version: 1\nentries: []\n", "is not JSON after character 0."],
    [authentik, "[]", "has no devices; make it with `ak dumpdata"],
    [otpauth, "# nothing\n", "has no key URIs."],
    [aegis, '{"version":1,"header":{"slots":[]},"db":"AAAA"}', "is an encrypted vault"],
    [aegis, '{"version":2,"db":{}}', "is no vault of Aegis (version 1)."],
    [twoFas, '{"schemaVersion":4,"servicesEncrypted":"A:B:C"}', "is an encrypted backup"],
    [twoFas, "[]", "is no backup of 2FAS."],
    [authy, "{}", "cannot be imported: Authy exports nothing"],
    [googleAuthenticator, `otpauth://totp/a?secret=${secret}`, "has no otpauth-migration URI in"],
    [googleAuthenticator, "otpauth-migration://offline?data=CgQK", "cannot be decoded."],
    [googleAuthenticator, partsText.split("\n").slice(0, 2).join("\n"), "lacks QR code 1 of 2"],
    [csv, "name,secret\n", "has no column external_id in its header."],
    [csv, "external_id,totp_secret\n", "has an unknown column in its header"],
    [csv, "external_id,secret,secret\n", "has a column twice in its header."],
    [csv, 'external_id,secret\n"alice,x\n', "is not CSV in line"],
    [edgeIdp, "[]", "has no users."],
  ])("is refused as a whole (%#)", async (form, text, sentence) => {
    const error = await readAll(form, text).catch((thrown: unknown) => thrown);
    expect(error).toBeInstanceOf(ReadError);
    expect(String(error)).toContain(sentence);
    expect(String(error)).not.toContain(secret);
  });
});

describe("A user", () => {
  it.each<readonly [title: string, form: Form, text: string, reason: string]>([
    [
      ...(["with HOTP alone", keycloak] as const),
      realmWith({ ...totp, subType: "hotp" }, { value: secret }),
      "an authenticator counts (HOTP), and is not TOTP",
    ],
    [
      ...(["with an unknown encoding of the secret", keycloak] as const),
      realmWith({ ...totp, secretEncoding: "ROT13" }, { value: secret }),
      "an authenticator's secret has an unknown encoding",
    ],
    [
      ...(["with a secret that is gone", keycloak] as const),
      realmWith(totp, {}),
      "an OTP credential is incomplete",
    ],
    [
      ...(["with a passkey alone", keycloak] as const),
      realmWith({}, {}, "webauthn"),
      "its passkey or security key cannot come along, because it works on the old site alone",
    ],
    [
      ...(["with a short secret", keycloak] as const),
      realmWith(totp, { value: "short" }),
      "an authenticator's secret is not hex of 10 to 128 bytes",
    ],
    [
      ...(["with MD5", aegis] as const),
      vaultWith({ algo: "MD5", digits: 6, period: 30 }),
      "an authenticator has an unknown algorithm",
    ],
    [
      ...(["with nine digits", aegis] as const),
      vaultWith({ algo: "SHA1", digits: 9, period: 30 }),
      "an authenticator's codes do not have 6 to 8 digits",
    ],
    [
      ...(["with ten seconds", aegis] as const),
      vaultWith({ algo: "SHA1", digits: 6, period: 10 }),
      "an authenticator's period is not 15 to 300 seconds",
    ],
    [
      ...(["with a field of another type", aegis] as const),
      vaultWith({ digits: "six" }),
      "info.digits is missing or has another form",
    ],
    [
      ...(["whose file hides the secret", auth0] as const),
      '{"user_id":"auth0|1","multifactor":["guardian"]}',
      "it has factors whose secrets the file leaves out; ask Auth0's support for them",
    ],
    [
      ...(["with both a URI and a secret", csv] as const),
      `external_id,uri,secret\nalice,otpauth://totp/a?secret=${secret},${secret}\n`,
      "a line has both a uri and columns that are for a secret",
    ],
    [
      ...(["with an unknown status", csv] as const),
      "external_id,status\nalice,locked\n",
      "its status is neither active nor suspended",
    ],
    [
      ...(["without an id", csv] as const),
      `external_id,secret\n,${secret}\n`,
      "its id is missing, longer than 255 characters, or has control characters",
    ],
    [
      ...(["with an unknown field in our own form", edgeIdp] as const),
      `{"external_id":"alice","passkeys":[]}`,
      "it has another form",
    ],
    [
      ...(["of a dump without users", django] as const),
      `[{"model":"otp_totp.totpdevice","pk":1,"fields":{"user":1,"key":"${"ab".repeat(20)}"}}]`,
      "the dump has its devices and not the user; make it with `manage.py dumpdata auth.user otp_totp otp_static`, or use --external-id pk",
    ],
  ])("$0 is refused", async (_title, form, text, reason) => {
    const entries = await readAll(form, text);
    expect(usersOf(entries)).toEqual([]);
    expect(entries.map((entry) => entry.kind === "refused" && entry.reason)).toEqual([reason]);
  });

  it("keeps what is good beside what is not, with a note", async () => {
    const [user] = usersOf(
      await readAll(
        kratos,
        JSON.stringify({
          id: "alice",
          credentials: {
            totp: { config: { totp_url: `otpauth://totp/Acme:alice?secret=${secret}` } },
            webauthn: { config: {} },
            lookup_secret: {
              config: { recovery_codes: [{ code: "12345678" }, { code: "abcd12" }] },
            },
          },
        }),
      ),
    );
    expect(user?.row.backup_codes).toEqual(["abcd12"]);
    expect(user?.notes).toEqual([
      "its passkey or security key cannot come along, because it works on the old site alone",
      "1 of its 2 backup codes cannot come along: a code has 6 to 64 letters and digits, is no number of 6 to 8 digits, and stands once",
    ]);
  });

  it("with six authenticators is refused, because five is all that a user can have", async () => {
    const lines = Array.from({ length: 6 }, (_, n) => `alice,${secret},${15 + n}\n`);
    const entries = await readAll(csv, `external_id,secret,period\n${lines.join("")}`);
    expect(reasonsOf(entries)).toEqual([
      "refused line 2 alice: it has 6 authenticators, and a user can have 5",
    ]);
  });

  it("whose lines do not follow each other is refused where it comes again", async () => {
    const uri = (name: string, key: string) => `otpauth://totp/${name}?secret=${key}\n`;
    const text = uri("alice", secret) + uri("bob", secret) + uri("alice", other);
    const entries = await readAll(otpauth, text);
    expect(usersOf(entries).map(({ id, row }) => [id, row.authenticators.length])).toEqual([
      ["alice", 1],
      ["bob", 1],
    ]);
    expect(reasonsOf(entries)).toEqual([
      "refused line 3 alice: lines of one user must follow each other; sort the file by user",
    ]);
  });

  it("whose static tokens came without their devices is reported", async () => {
    const token = {
      model: "otp_static.statictoken",
      pk: 1,
      fields: { device: 1, token: "abcd2345" },
    };
    expect(reasonsOf(await readAll(django, JSON.stringify([token])))).toEqual([
      "refused the dump -: 1 static tokens are there without their devices; make the dump with `manage.py dumpdata auth.user otp_totp otp_static`",
    ]);
  });

  it("whose name is the primary key of another has its own devices alone", async () => {
    const user = (pk: number, username: string) => ({
      model: "auth.user",
      pk,
      fields: { username, password: "!", last_login: null },
    });
    const device = (pk: number, owner: unknown, key: string) => ({
      model: "otp_totp.totpdevice",
      pk,
      fields: { user: owner, key: key.repeat(20) },
    });
    const dump = [user(1, "2"), user(2, "bob"), device(1, 2, "ab"), device(2, ["2"], "cd")];
    const entries = usersOf(await readAll(django, JSON.stringify(dump)));
    expect(entries.map(({ id, row }) => [id, row.authenticators[0]?.secret])).toEqual([
      ["bob", "ab".repeat(20)],
      ["2", "cd".repeat(20)],
    ]);
  });
});

describe("Our own form", () => {
  it("reads what the API of imports takes and what an export has", async () => {
    const lines = [
      { external_id: "alice", authenticators: [{ secret, digits: 8, name: "Phone" }] },
      {
        external_id: "bob",
        status: "suspended",
        authenticators: [{ uri: `otpauth://totp/x?secret=${secret}&period=60` }],
        backup_codes: { scheme: "sha256", hashes: ["ab".repeat(32)] },
      },
      {
        external_id: "carol",
        authenticators: [
          {
            secret,
            algorithm: "SHA1",
            digits: 6,
            period: 30,
            name: "App",
            uri: "otpauth://totp/x",
          },
        ],
        backup_codes_remaining: 9,
      },
      { external_id: "dave", authenticators: [], backup_codes_remaining: 10 },
    ];
    const entries = await readAll(edgeIdp, lines.map((line) => JSON.stringify(line)).join("\n"));
    const plain = { secret, encoding: "base32", algorithm: "SHA1", digits: 6, period: 30 };
    expect(usersOf(entries).map(({ row }) => row)).toEqual([
      {
        external_id: "alice",
        status: "active",
        authenticators: [{ ...plain, digits: 8, name: "Phone" }],
      },
      {
        ...{ external_id: "bob", status: "suspended" },
        authenticators: [{ ...plain, period: 60 }],
        backup_codes: { scheme: "sha256", hashes: ["ab".repeat(32)] },
      },
      { external_id: "carol", status: "active", authenticators: [{ ...plain, name: "App" }] },
    ]);
    expect(usersOf(entries).at(2)?.notes).toEqual([
      "its 9 backup codes cannot come along, because an export does not have them",
    ]);
    expect(reasonsOf(entries)).toEqual([
      "refused user 4 dave: its 10 backup codes cannot come along, because an export does not have them",
    ]);
  });
});
