/** What a backend may send of the client besides address and agent: how it is read, compared and kept. */
import { env } from "cloudflare:workers";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { computeContributions } from "../../src/sentinel/behaviour/attacker-model.ts";
import { compareWithHistory } from "../../src/sentinel/behaviour/behaviour.ts";
import {
  readAcceptLanguage,
  readClientHints,
  readTimeZone,
} from "../../src/sentinel/client-fields.ts";
import { type Context, clientLevels } from "../../src/sentinel/context.ts";
import { countPopulation, countShare } from "../../src/sentinel/population/population.ts";
import { Tenant, User } from "../support/client.ts";
import { readTables } from "../support/guard-snapshot.ts";
import { readContents } from "../support/stored-evidence.ts";
import { createLogins, day, now, usualContext } from "./example.ts";

const own = {
  timeZone: "zone-1",
  acceptLanguage: "languages-1",
  clientHints: "hints-1",
  ja4: "j-1",
};
const strange = {
  timeZone: "zone-9",
  acceptLanguage: "languages-9",
  clientHints: "hints-9",
  ja4: "j-9",
};
const usual: Context = { ...usualContext, ...own };

/** The evidence of the client's fields, and that of the habits. */
function compare(context: Context, known: Context = usual) {
  const behaviour = compareWithHistory(createLogins(10, day, known), context, null, now);
  if (behaviour === null) throw new Error("The history is empty");
  const { client, ...habits } = computeContributions(behaviour);
  return { compared: behaviour.client ?? [], client, habits };
}

describe("The fields of the client", () => {
  it("are compared field by field, each with the arithmetic of the agent's levels", () => {
    const elsewhere = { ...usual, prefix: "prefix-2", address: "address-2" };
    for (const level of clientLevels) {
      const { compared, client } = compare({ ...elsewhere, [level]: strange[level] });
      expect(compared.map((one) => [one.level, one.seen])).toEqual(
        clientLevels.map((name) => [name, name !== level]),
      );
      expect(client, level).toBeGreaterThan(compare(elsewhere).client + 0.5);
    }
    expect(compare(elsewhere).client).toBeLessThan(-0.5);
    expect(compare({ ...elsewhere, ...strange }).client).toBeGreaterThan(1);
  });

  it("give no evidence where they are absent, in the session or in its history", () => {
    const silent = { compared: [], client: 0 };
    expect(compare(usualContext)).toMatchObject(silent);
    expect(compare(usual, usualContext)).toMatchObject(silent);
    const { habits } = compare(usualContext, usualContext);
    fc.assert(
      fc.property(fc.subarray([...clientLevels]), (sent) => {
        const fields = Object.fromEntries(sent.map((level) => [level, strange[level]]));
        const { compared, habits: withFields } = compare({ ...usualContext, ...fields });
        expect(compared.map(({ level }) => level)).toEqual(
          clientLevels.filter((one) => sent.includes(one)),
        );
        expect(withFields).toEqual(habits);
      }),
    );
  });

  it("say nothing more of another browser, except for the time zone", () => {
    const { compared } = compare({ ...usual, ...strange, os: "Linux" });
    expect(compared.map(({ level }) => level)).toEqual(["timeZone"]);
  });

  it("are weak evidence where the tenant's users have them in common", () => {
    const sessions = Array.from({ length: 40 }, (_, index) => ({
      identityId: `user-${index % 10}`,
      at: now - day,
      behaviour: null,
      context: index < 30 ? usual : usualContext,
    }));
    const population = countPopulation(sessions, now);
    expect(countShare(population, usual, "timeZone", ["zone-1"])).toEqual({ count: 30, all: 30 });
    expect(countShare(population, usual, "ja4", ["constructor"])).toEqual({ count: 0, all: 30 });
  });
});

describe("The spelling", () => {
  it.each([
    ["nb-NO,nb;q=0.9,en;q=0.8", "nb-no,nb,en"],
    [" nb-NO , nb;q=0.8,,EN ; q=1", "nb-no,nb,en"],
    ["*", "*"],
    ["", undefined],
    [" , ;q=1", undefined],
  ])("of languages %j does not matter", (header, languages) => {
    expect(readAcceptLanguage(header)).toBe(languages);
  });

  it("of time zones is that of the runtime, and an unknown name keeps its own", () => {
    expect(readTimeZone("asia/calcutta")).toBe(readTimeZone("Asia/Kolkata"));
    expect(readTimeZone("Europe/Oslo")).not.toBe(readTimeZone("Europe/Rome"));
    expect(readTimeZone("Etc/Unknown")).toBe("etc/unknown");
  });

  it("of hints does not matter, nor do their order and the browser's version", () => {
    const hints = { "Sec-CH-UA-Platform": '"Windows"', "sec-ch-ua-arch": ' "x86" ' };
    const others = {
      "sec-ch-ua-arch": '"x86"',
      "sec-ch-ua-platform": '"Windows"',
      "sec-ch-ua": "v1",
    };
    expect(readClientHints(hints)).toBe(readClientHints(others));
    expect(readClientHints({ ...hints, "sec-ch-ua-arch": '"arm"' })).not.toBe(
      readClientHints(hints),
    );
    expect(readClientHints({ "sec-ch-ua": "v1" })).toBeUndefined();
    expect(readClientHints({})).toBeUndefined();
  });

  it("of any text causes no error", () => {
    fc.assert(
      fc.property(fc.string({ unit: "binary" }), (text) => {
        readAcceptLanguage(text);
        readTimeZone(text);
        readClientHints({ [text]: text });
      }),
    );
  });
});

const sent = {
  accept_language: "nb-NO,nb;q=0.9",
  time_zone: "Europe/Oslo",
  client_hints: { "sec-ch-ua-platform": '"Windows"', "sec-ch-ua-model": '"Secret-Model"' },
  ja4: "t13d1516h2_8daaf6152771_e5627efa2ab1",
};

describe("A request with fields of the client", () => {
  it("is scored with them, and nothing is kept but keyed hashes", async () => {
    const tenant = await Tenant.create();
    const user = await User.provision(tenant);
    for (let n = 0; n < 3; n += 1) {
      await user.sendFeedback((await user.assess(sent)).assessment_id, "legitimate");
    }
    const other = {
      ...sent,
      ip: "9.9.9.9",
      time_zone: "America/Sao_Paulo",
      ja4: "t13d1516h2_000000000000_000000000000",
    };
    const { reasons } = (await user.discover(other)).body;
    const found = reasons.find(({ signal }: { signal: string }) => signal === "client_history");
    expect(found.contribution).toBeGreaterThan(0.5);
    expect(found.detail).toContain(
      "Known list of languages and set of client hints, new time zone, new TLS fingerprint",
    );
    await user.events();
    const { assessments } = (await tenant.send("GET", "/v1/sentinel/assessments?limit=1")).body;
    for (const level of clientLevels) {
      expect(assessments[0].inputs.context[level]).toMatch(/^[0-9a-f]{16}$/);
    }
    const stored = await env.DB.prepare("SELECT * FROM assessments WHERE identity_id = ?")
      .bind(user.id)
      .all();
    const contents = await readContents(tenant.id, user.id);
    expect(contents.length).toBeGreaterThan(0);
    const kept = `${JSON.stringify([stored.results, contents])}${JSON.stringify(await readTables(user))}`;
    expect(kept).not.toMatch(/Oslo|nb-no|Windows|Secret-Model|8daaf6152771/i);
  });

  it("is refused if a field has another form", async () => {
    const user = await User.provision(await Tenant.create());
    for (const [field, value] of [
      ["time_zone", "+02:00"],
      ["time_zone", "Europe / Oslo"],
      ["time_zone", ""],
      ["ja4", "t13d1516h2"],
      ["accept_language", 5],
      ["client_hints", "Windows"],
      ["client_hints", Object.fromEntries(Array.from({ length: 33 }, (_, n) => [`h${n}`, ""]))],
    ] as const) {
      const { status, body } = await user.discover({ [field]: value });
      expect([status, body.issues?.[0].path]).toEqual([400, `sentinel.context.${field}`]);
    }
    const { status } = await user.discover({ client_hints: { model: "x".repeat(257) } });
    expect(status).toBe(400);
    const odd = {
      accept_language: "\u0000\ud800,".repeat(900),
      client_hints: {},
      time_zone: "Etc/Unknown",
    };
    expect((await user.discover(odd)).status).toBe(200);
  });
});
