/** Measures how much D1 grows with each operation, and compares it with the table in docs/scale.md. */
import { env } from "cloudflare:workers";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import document from "../../docs/scale.md?raw";
import { strideOf } from "../support/campaign.ts";
import { Tenant, User } from "../support/client.ts";
import { drainOutbox } from "../support/delivered-trail.ts";

const agent =
  "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126.0.0.0 Safari/537.36";

/** SQLite grows by pages of 4 KB, so a figure from few rows differs from run to run. */
const tolerance = 0.12;
/** `npm run test:full` measures more rows, and is more precise. */
const times = { discoveries: 250, verifications: 350, identities: 100 };
const share = strideOf(2.5);

async function readSize(): Promise<number> {
  const { meta } = await env.DB.prepare("UPDATE tenants SET name = name WHERE id = ''").run();
  return meta.size_after;
}

/** Several tenants: their rows lie between one another, so that pages are as full as in a shared database. */
async function createUsers(): Promise<User[]> {
  const users: User[] = [];
  for (let n = 0; n < 5; n += 1) users.push(await User.withTotp(await Tenant.create()));
  return users;
}

/** @returns bytes in D1 for each of `count` operations */
async function measureGrowth(
  users: readonly User[],
  count: number,
  act: (user: User) => Promise<unknown>,
): Promise<number> {
  const before = await readSize();
  for (let n = 0; n < count / users.length; n += 1) {
    for (const user of users) await act(user);
  }
  for (const user of users) await drainOutbox(user);
  return ((await readSize()) - before) / count;
}

const measured = new Map<string, number>();

beforeAll(async () => {
  const users = await createUsers();
  for (const user of users) {
    for (let n = 0; n < 10; n += 1) {
      const { assessment_id: id } = await user.assess({ ua: agent });
      await user.sendFeedback(id, "legitimate");
    }
    await drainOutbox(user);
  }
  const discover = async (user: User) => await user.assess({ ua: agent });
  measured.set(
    "discovery: assessment and event",
    await measureGrowth(users, times.discoveries / share, discover),
  );
  const verify = async (user: User) => await user.verify(user.wrongCode(Date.now()));
  for (const { tenant } of users) {
    await tenant.setSettings({ lockout: { max_failed_attempts: 100 } });
  }
  measured.set(
    "verification: event",
    await measureGrowth(users, times.verifications / share, verify),
  );
  const provision = async ({ tenant }: User) => {
    const user = await User.withTotp(tenant);
    await user.backupCodes();
  };
  measured.set(
    "identity with TOTP and ten backup codes: record and three events",
    await measureGrowth(users, times.identities / share, provision),
  );
}, 120_000);

afterAll(() => {
  // biome-ignore lint/suspicious/noConsole: the table of docs/scale.md is updated from this.
  console.log([...measured].map(([what, bytes]) => `${what}: ${Math.round(bytes)}`).join("\n"));
});

function readDocumented(what: string): number {
  const line = document.split("\n").find((one) => one.startsWith(`| ${what} |`));
  return Number(line?.split("|")[2]?.trim().replace(",", ""));
}

describe("The bytes that D1 keeps", () => {
  it.each([
    "discovery: assessment and event",
    "verification: event",
    "identity with TOTP and ten backup codes: record and three events",
  ])("of a %s are those of docs/scale.md", (what) => {
    const documented = readDocumented(what);
    const bytes = measured.get(what) ?? 0;
    expect(Math.abs(bytes - documented), `${what}: ${bytes}`).toBeLessThan(tolerance * documented);
  });
});
