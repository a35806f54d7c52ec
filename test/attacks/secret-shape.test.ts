/** The shape of the values that the service shows once: secret, key URI and backup codes. */
import { base32nopad } from "@scure/base";
import { describe, expect, it } from "vitest";
import { Tenant, User } from "../support/client.ts";

async function configureAs(user: User, issuer_name: string, account_name: string) {
  return await user.tenant.send("POST", user.path("/otp"), { otp: { issuer_name, account_name } });
}

describe("The secret", () => {
  it("is 20 bytes in base32 without padding, and differs each time", async () => {
    const user = await User.provision(await Tenant.create());
    const secrets = new Set<string>();
    for (let n = 0; n < 8; n += 1) {
      const { body } = await user.configure();
      const secret: string = body.user.new_otp_secret;
      expect(secret).toMatch(/^[A-Z2-7]{32}$/);
      expect(base32nopad.decode(secret)).toHaveLength(20);
      secrets.add(secret);
    }
    expect(secrets.size).toBe(8);
  });

  it("is shown once: no later answer contains it or the secret that it replaced", async () => {
    const tenant = await Tenant.create();
    const user = await User.withTotp(tenant);
    const first = user.secret;
    await user.configure();
    const answers = [
      await user.profile(),
      (await tenant.send("GET", "/v1/idp/users")).body,
      (await tenant.send("GET", "/v1/settings")).body,
      (await user.verify(user.code(Date.now()))).body,
      await user.events(),
      (await tenant.send("GET", "/v1/audit/export")).body,
    ];
    const text = JSON.stringify(answers);
    for (const secret of [first, user.secret]) expect(text).not.toContain(secret);
  });

  it("comes in an answer that no cache may store", async () => {
    const user = await User.provision(await Tenant.create());
    for (const answer of [
      await user.configure(),
      await user.tenant.send("POST", user.path("/backup-codes")),
    ]) {
      expect(answer.status).toBe(200);
      expect(answer.headers.get("Cache-Control")).toBe("no-store");
    }
  });
});

describe("The key URI", () => {
  const names: [string, string][] = [
    ["Acme Enterprise", "alexander@enterprise.com"],
    ["M\u00fcller & S\u00f6hne", "j\u00fcrgen+test@example.com"],
    ["100% / #1?", "a&secret=AAAA&issuer=Evil"],
    ["\u{1f511}", "\u{1f469}\u200d\u{1f680} x"],
    ["a", "' OR 1=1--"],
  ];

  it.each(names)(
    "of %j and %j has both in the label and the issuer as a parameter",
    async (issuer, account) => {
      const user = await User.provision(await Tenant.create());
      const { status, body } = await configureAs(user, issuer, account);
      expect(status).toBe(200);
      const uri: string = body.user.qrcode_payload;
      const [, label = "", query = ""] = /^otpauth:\/\/totp\/([^?]*)\?(.*)$/.exec(uri) ?? [];
      expect(label.split(":").map(decodeURIComponent)).toEqual([issuer, account]);
      const parameters = query.split("&").map((pair) => pair.split("=").map(decodeURIComponent));
      expect(parameters.filter(([name]) => name === "issuer")).toEqual([["issuer", issuer]]);
      expect(parameters.filter(([name]) => name === "secret")).toEqual([
        ["secret", body.user.new_otp_secret],
      ]);
      // Several apps show a plus sign literally, so spaces are encoded as %20.
      expect(uri).not.toContain("+");
      expect(uri).toMatch(/^[\x21-\x7e]+$/);
    },
  );

  it.each([
    ["Acme:Evil", "alexander"],
    ["Acme", "alexander:evil"],
    [":", "a"],
    ["Acme", ":"],
  ])(
    "of %j and %j is refused because of the colon, and no secret is created",
    async (issuer, account) => {
      const user = await User.provision(await Tenant.create());
      const { status, body } = await configureAs(user, issuer, account);
      expect({ status, code: body.code }).toEqual({ status: 400, code: "invalid_request" });
      expect((await user.profile()).has_otp).toBe(false);
    },
  );
});

describe("Backup codes", () => {
  it("are ten distinct codes of four letters and four digits, without I, O and Q", async () => {
    const user = await User.withTotp(await Tenant.create());
    const all = new Set<string>();
    for (let n = 0; n < 5; n += 1) {
      const codes = await user.backupCodes();
      expect(codes).toHaveLength(10);
      for (const code of codes) {
        expect(code).toMatch(/^[A-HJ-NPR-Z]{4}-[0-9]{4}$/);
        all.add(code);
      }
    }
    expect(all.size).toBe(50);
  });
});
