/** Promise 5: a copy of all stores is useless without the Worker's secrets. */
import { env } from "cloudflare:workers";
import { base32nopad, base64, hex } from "@scure/base";
import { afterEach, describe, expect, it, vi } from "vitest";
import { integrateLogs } from "../../src/audit/tree/integrate.ts";
import { witnessHeads } from "../../src/audit/tree/witness.ts";
import { Tenant, User } from "../support/client.ts";
import { withD1Fault } from "../support/d1-faults.ts";
import { fireAlarm } from "../support/guard.ts";
import { holdMessages, useQueue } from "../support/queue.ts";
import { giveAttempt } from "../support/receiver.ts";
import { copyStores, decodeText, type StoresCopy, spellingsOf } from "../support/stores.ts";

useQueue();

afterEach(() => {
  vi.restoreAllMocks();
});

const bytes = (text: string) => new TextEncoder().encode(text);

/** Digests without a key. A thief can try all codes against such a digest in minutes. */
async function computePlainDigests(text: string): Promise<string[]> {
  const digests = ["SHA-1", "SHA-256", "SHA-512"].map(async (name) => {
    const digest = new Uint8Array(await crypto.subtle.digest(name, bytes(text)));
    return [hex.encode(digest), base64.encode(digest)];
  });
  return (await Promise.all(digests)).flat().map((digest) => digest.toUpperCase());
}

interface Loot {
  readonly secrets: readonly Uint8Array[];
  readonly backupCodes: readonly string[];
  readonly tokens: readonly string[];
  readonly copy: StoresCopy & { readonly queue: readonly string[] };
  readonly tenant: Tenant;
}

/** Uses every feature, leaves some data in an outbox and in the queue, and copies all stores. */
async function takeLoot(): Promise<Loot> {
  const queue = holdMessages();
  const tenant = await Tenant.create();
  const user = await User.withTotp(tenant, "alice");
  const secrets = [user.secret];
  await tenant.setSettings({ otp: { enrolment: "confirm" } });
  await user.verify(user.code(Date.now()));
  await user.configure();
  secrets.push(user.secret);
  const backupCodes = await user.backupCodes();
  await user.verify(backupCodes[0]);
  backupCodes.push(...(await user.backupCodes()));
  const tokens = [tenant.token, await tenant.tokenWith(["idp:read"])];
  await tenant.send("GET", "/v1/idp/users", undefined, tokens[1]);
  const { tokens: listed } = (await tenant.send("GET", "/v1/tokens")).body;
  const rotated = await tenant.send("POST", `/v1/tokens/${listed[1].id}/rotate`, { token: {} });
  tokens.push(rotated.body.token.secret);
  const signing: string[] = [];
  await giveAttempt(tenant, (secret) => void signing.push(secret.slice("whsec_".length)));
  await user.assess();
  // A prefix watch has more than an alarm once two users were tried from its block.
  await (await User.provision(tenant, "bob")).assess();
  await fireAlarm(user);
  // This request is refused, so that the refusal log has data too.
  await user.verify("123456", tokens[1]);
  await user.events();
  await integrateLogs(env, Date.now());
  await witnessHeads(env, Date.now());
  await withD1Fault("throws", async () => {
    await user.verify(backupCodes[11]);
    await user.verify(user.wrongCode(Date.now()));
  });
  await vi.waitFor(() => expect(JSON.stringify(queue)).toContain("sealed"), 20_000);
  const copy = {
    ...(await copyStores()),
    queue: queue.map((message) => JSON.stringify(message)),
  };
  for (const [store, values] of Object.entries(copy))
    expect(values.length, store).toBeGreaterThan(0);
  expect(copy.guards.join()).toContain(user.id);
  return {
    secrets: [
      ...secrets.map((secret) => base32nopad.decode(secret)),
      ...signing.map((secret) => base64.decode(secret)),
    ],
    backupCodes,
    tokens,
    copy,
    tenant,
  };
}

describe("Promise 5: a copy of D1, KV, the guards and the queue", () => {
  it("contains no live, replaced or pending TOTP secret in any encoding", async () => {
    const { copy, secrets } = await takeLoot();
    for (const [store, values] of Object.entries(copy)) {
      const text = decodeText(values);
      const found = secrets.flatMap(spellingsOf).filter((spelling) => text.includes(spelling));
      expect({ store, found }).toEqual({ store, found: [] });
    }
  });

  it("contains no spent or unspent backup code, and no digest of one without a key", async () => {
    const { copy, backupCodes } = await takeLoot();
    const texts = Object.values(copy).map(decodeText);
    for (const code of backupCodes) {
      const spelt = [code, code.replace("-", "")];
      const encoded = spelt.flatMap((text) => [
        text,
        hex.encode(bytes(text)),
        base64.encode(bytes(text)),
      ]);
      const inAnyCase = spelt.flatMap((text) => [text, text.toLowerCase()]);
      const digests = (await Promise.all(inAnyCase.map(computePlainDigests))).flat();
      const needles = [...encoded.map((text) => text.toUpperCase()), ...digests];
      for (const text of texts) {
        expect(needles.filter((needle) => text.includes(needle))).toEqual([]);
      }
    }
  });

  it("contains the digest of an API token, but no token and no random part of one", async () => {
    const { copy, tokens } = await takeLoot();
    for (const token of tokens) {
      const random = token.slice("idp_test_".length + 16);
      const forms = [token, random].flatMap((text) => [
        text.toUpperCase(),
        ...spellingsOf(bytes(text)),
      ]);
      for (const values of Object.values(copy)) {
        const text = decodeText(values);
        expect(forms.filter((form) => text.includes(form))).toEqual([]);
      }
      const digest = hex.encode(
        new Uint8Array(await crypto.subtle.digest("SHA-256", bytes(token))),
      );
      expect(copy.database).toContain(digest);
    }
  });

  it("contains none of the Worker's own secrets", async () => {
    const { copy } = await takeLoot();
    const rings = [env.SEALING_KEYS, env.BACKUP_CODE_KEYS, env.AUDIT_SIGNING_KEYS];
    const keys = [env.ADDRESS_HASH_KEY, ...rings.map((ring) => ring.slice(2))];
    const needles = [
      ...keys.flatMap((key) => spellingsOf(base64.decode(key))),
      ...spellingsOf(bytes(env.OPERATOR_TOKEN)),
    ];
    for (const values of Object.values(copy)) {
      const text = decodeText(values);
      expect(needles.filter((needle) => text.includes(needle))).toEqual([]);
    }
  });

  it("contains no digest that works as a token", async () => {
    const { copy, tenant } = await takeLoot();
    const digests = copy.database.filter((value) => /^[0-9a-f]{64}$/.test(value));
    expect(digests.length).toBeGreaterThan(0);
    for (const digest of digests.slice(0, 10)) {
      const { status } = await tenant.send("GET", "/v1/idp/users", undefined, digest);
      expect(status).toBe(401);
    }
  });

  it("is searched well enough to find a planted secret, plain or encoded", async () => {
    const secret = crypto.getRandomValues(new Uint8Array(20));
    const planted = [
      base32nopad.encode(secret).toLowerCase(),
      JSON.stringify({ deep: { box: `1.${base64.encode(secret)}` } }),
      hex.encode(new Uint8Array([1, 2, 3, ...secret, 4])),
      base64.encode(new Uint8Array([1, 2, 3, 4, ...secret])),
      JSON.stringify([...secret]),
    ];
    for (const [index, value] of planted.entries()) {
      await env.AUDIT_WITNESS.put(`planted-${index}`, value);
      const text = decodeText((await copyStores()).kv);
      expect(spellingsOf(secret).some((spelling) => text.includes(spelling))).toBe(true);
      await env.AUDIT_WITNESS.delete(`planted-${index}`);
    }
  });
});
