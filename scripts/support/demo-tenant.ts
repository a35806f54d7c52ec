/** Fills a test tenant with the month of support/demo-month.ts, through the API and at the times of the plan. */
import { type EdgeIdp, IdpError } from "@edge-idp/sdk";
import { Secret, TOTP } from "otpauth";
import type { DemoUser, Visit } from "./demo-month.ts";

const dayMs = 24 * 60 * 60 * 1000;
/** Far enough from the code of any time to be wrong almost always. */
const wrongCode = "000000";

/** The errors with which the service refuses what an attacker, or a locked user, tries. */
const expectedCodes: readonly string[] = [
  ...["invalid_code", "code_already_used", "user_locked", "otp_disabled", "user_suspended"],
  "rate_limited",
];

async function tolerate(work: Promise<unknown>): Promise<void> {
  try {
    await work;
  } catch (error) {
    if (!(error instanceof IdpError) || !expectedCodes.includes(error.code)) throw error;
  }
}

export class DemoTenant {
  readonly #idp: EdgeIdp;
  readonly #users: readonly DemoUser[];
  /** By the index of the user. */
  readonly #secrets = new Map<number, string>();
  readonly #deviceTokens = new Map<string, string>();

  constructor(idp: EdgeIdp, users: readonly DemoUser[]) {
    this.#idp = idp;
    this.#users = users;
  }

  /** Creates a user with an authenticator app; one in ten has none. @param at Unix ms */
  async enrol(index: number, at: number): Promise<void> {
    const user = this.#users[index];
    if (user === undefined) return;
    const { externalId } = user;
    const options = { testClock: new Date(at) };
    await this.#idp.users.provision(externalId, options);
    if (index % 10 === 9) return;
    const names = { issuer_name: "Acme", account_name: `${externalId}@example.com` };
    const { new_otp_secret: secret } = await this.#idp.otp.configure(externalId, names, options);
    this.#secrets.set(index, secret);
    if (index % 3 === 0) await this.#idp.backupCodes.regenerate(externalId, options);
  }

  /** Carries out one visit: an assessment, the code, and what the tenant reports of it. */
  async visit({ at, user: index, kind, client, isReported }: Visit): Promise<void> {
    const user = this.#users[index];
    const secret = this.#secrets.get(index);
    if (user === undefined || secret === undefined) return;
    const options = { testClock: new Date(at) };
    const { externalId } = user;
    const device = this.#deviceTokens.get(`${index} ${client.ua}`);
    const known = device === undefined || kind === "attack" ? {} : { device_token: device };
    const assessment = await this.#idp.sentinel.assess(
      externalId,
      { ...client, ...known },
      options,
    );
    const { assessment_id, recommendation } = assessment;
    const attempt = { assessment_id, context: client, ...known };
    if (kind === "attack") {
      await tolerate(this.#idp.otp.verify(externalId, wrongCode, attempt, options));
      if (isReported) await this.#idp.sentinel.feedback(assessment_id, "fraud", options);
      return;
    }
    if (recommendation === "deny") return;
    if (kind === "typo") {
      await tolerate(this.#idp.otp.verify(externalId, wrongCode, attempt, options));
    }
    const totp = new TOTP({ secret: Secret.fromBase32(secret) });
    const code = totp.generate({ timestamp: at });
    const isNew = user.remembersDevices && device === undefined && kind === "login";
    const wish = isNew ? { remember_device: { days: 60, name: nameOf(client.ua) } } : {};
    const verified = this.#idp.otp.verify(externalId, code, { ...attempt, ...wish }, options);
    await tolerate(
      verified.then((result) => {
        const token = result.device?.token;
        if (token !== undefined) this.#deviceTokens.set(`${index} ${client.ua}`, token);
      }),
    );
  }

  /** What administrators do at the end of the month. @param end Unix ms */
  async administer(end: number): Promise<void> {
    const support = this.#idp.actingFor("SUPPORT_7");
    const [first, second, third, fourth, fifth] = this.#users.map(({ externalId }) => externalId);
    const at = (daysAgo: number) => ({ testClock: new Date(end - daysAgo * dayMs) });
    const acts: readonly (readonly [string | undefined, (id: string) => Promise<unknown>])[] = [
      [first, (id) => support.users.unlock(id, at(2))],
      [second, (id) => support.users.suspend(id, at(1))],
      [third, (id) => support.backupCodes.regenerate(id, at(1))],
      [fourth, (id) => support.users.erase(id, at(0.5))],
      [fifth, (id) => support.users.suspend(id, at(0.2))],
    ];
    for (const [id, act] of acts) if (id !== undefined) await act(id);
    await support.settings.change({ lockout: { lock_seconds: 1_800 } }, at(1));
    const permissions = ["audit:read" as const, "sentinel:read" as const];
    await support.tokens.create({ name: "Security officer", permissions }, at(1));
    const backend = ["idp:read" as const, "idp:write" as const, "sentinel:write" as const];
    await support.tokens.create({ name: "Backend", permissions: backend }, at(1));
  }
}

function nameOf(ua: string): string {
  const system = /Windows|Macintosh|Linux x86|iPhone|Android/.exec(ua)?.[0] ?? "Computer";
  return `Browser on ${system.replace("Macintosh", "Mac").replace(" x86", "")}`;
}
