import { describe, expect, test } from "vitest";
import type { Login } from "../../bench/sentinel/login.ts";
import { createExtend } from "../../bench/sentinel/models/extend.ts";
import { createFreeman } from "../../bench/sentinel/models/freeman.ts";
import { createSentinelModels } from "../../bench/sentinel/models/sentinel.ts";
import { createSimple } from "../../bench/sentinel/models/simple.ts";

const hour = 60 * 60 * 1000;
const start = Date.UTC(2026, 0, 5, 9);

const familiar: Login = {
  at: start,
  user: 1,
  country: "NO",
  asn: 64512,
  pool: "20.0.0.0/20",
  prefix: "20.0.0.0/24",
  address: "20.0.0.1",
  agent: "agent-x",
  facts: { kind: "browser", device: "desktop", os: "Windows", browser: "Chrome 140" },
  crowd: { fromAddress: 1, fromPrefix: 1 },
};
const neighbour: Login = {
  ...familiar,
  user: 2,
  address: "20.0.0.2",
  agent: "agent-y",
  facts: { ...familiar.facts, browser: "Chrome 141" },
};
const unfamiliar: Login = {
  ...familiar,
  country: "BR",
  asn: 64600,
  pool: "21.0.0.0/20",
  prefix: "21.0.0.0/24",
  address: "21.0.0.9",
  agent: "agent-z",
  facts: { kind: "browser", device: "mobile", os: "Android", browser: "Firefox 140" },
};

/** Two logins for each of two users. */
const past = [familiar, neighbour, familiar, neighbour].map((login, index) => {
  return { ...login, at: start + index * hour };
});
const later = start + 30 * hour;

describe("EXTEND", () => {
  const model = createExtend();
  for (const login of past) model.observe(login);

  test("equals the formula, computed by hand", () => {
    // A new address: 1/(n+M) with M = 1 + one network + one country; the user never had it.
    const network = (0.6 / (4 + 3) + 0.3 + 0.1) / (0.3 + 0.1);
    // The agent: two of four, smoothed by M = 1 + two browsers + one system + one device.
    const seen = (2 / 4) * (1 - 5 / (4 + 5)) * (2 / (2 + 4));
    const agent =
      (0.53867 * seen + 0.26805 * 0.5 + 0.18818 + 0.00511) /
      (0.53867 + 0.26805 + 0.18818 + 0.00511);
    // There are two users, and two of four logins are this user's.
    const rarity = 1 / 2 / (2 / 4);
    const score = model.score({ ...familiar, at: later, address: "20.0.0.77" });
    expect(score).toBeCloseTo(network * agent * rarity, 12);
  });

  test("scores a login with no known feature as 16", () => {
    expect(model.score({ ...unfamiliar, at: later })).toBeCloseTo(16, 12);
  });
});

test("SIMPLE is the share of seven features that are new", () => {
  const model = createSimple();
  for (const login of past) model.observe(login);
  expect(model.score(familiar)).toBe(0);
  expect(model.score({ ...familiar, address: "20.0.0.3", agent: "agent-y" })).toBeCloseTo(2 / 7);
  expect(model.score(unfamiliar)).toBe(1);
});

test("the Freeman sum of a user without history is 0, because no login can be compared", () => {
  const model = createFreeman();
  for (const login of past) model.observe(login);
  expect(model.score({ ...familiar, user: 3 })).toBeCloseTo(0, 12);
  expect(model.score({ ...familiar, user: 1 })).toBeLessThan(0);
  expect(model.score({ ...unfamiliar, user: 1 })).toBeGreaterThan(0);
});

describe("Sentinel's models", () => {
  const models = createSentinelModels();
  const [full] = models;
  for (const login of past) for (const model of models) model.observe(login);

  test("do not change when they score a session", () => {
    const scoreAll = () => models.map((model) => model.score({ ...unfamiliar, at: later }));
    expect(scoreAll()).toEqual(scoreAll());
  });

  test("score an unfamiliar session above a familiar one, and learn from the user's sessions", () => {
    const own = full?.score({ ...familiar, at: later }) ?? Number.NaN;
    const strange = full?.score({ ...unfamiliar, at: later }) ?? Number.NaN;
    expect(strange).toBeGreaterThan(own);
    for (const model of models) model.observe({ ...unfamiliar, at: later });
    expect(full?.score({ ...unfamiliar, at: later + hour })).toBeLessThan(strange);
  });

  test("score 0 for a user without logins", () => {
    expect(full?.score({ ...unfamiliar, user: 99, at: later })).toBe(0);
  });
});
