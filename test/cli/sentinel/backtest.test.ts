/** The backtest: reading past logins, replaying them through the product's own decision, and reporting. */
import { Readable } from "node:stream";
import { describe, expect, it } from "vitest";
import { generateLogins, sampleSize } from "../../../examples/backtest/generate-logins.ts";
import sample from "../../../examples/backtest/logins.csv?raw";
import { Figures } from "../../../packages/cli/src/sentinel/backtest/figures.ts";
import {
  type BacktestValues,
  readOptions,
} from "../../../packages/cli/src/sentinel/backtest/options.ts";
import { Replay } from "../../../packages/cli/src/sentinel/backtest/replay.ts";
import { renderReport } from "../../../packages/cli/src/sentinel/backtest/report.ts";
import { type PastLogin, readLogins } from "../../../packages/cli/src/sentinel/backtest/rows.ts";
import {
  sessionsHeader,
  writeDays,
  writeSession,
} from "../../../packages/cli/src/sentinel/backtest/table.ts";
import type { RiskPolicy } from "../../../src/sentinel/assessment.ts";
import { judge } from "../../../src/sentinel/signals/judgement.ts";
import { defaultPolicy } from "../../../src/tenancy/policy.ts";

const day = 24 * 60 * 60 * 1000;
const start = Date.parse("2026-01-05T09:00:00Z");
const chrome =
  "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML; like Gecko) Chrome/138.0.0.0 Safari/537.36";
const header = "time,user,ip,ua,outcome,label";

async function readAll(text: string) {
  const logins: PastLogin[] = [];
  const invalid: string[] = [];
  const file = Readable.from([text]);
  for await (const login of readLogins(file, (line, why) => invalid.push(`${line}: ${why}`))) {
    logins.push(login);
  }
  return { logins, invalid };
}

const noNetwork = async () => ({ facts: undefined, degraded: ["geography" as const] });

async function backtest(text: string, policy: RiskPolicy = defaultPolicy.sentinel) {
  const replay = new Replay(policy, noNetwork);
  const figures = new Figures();
  const { logins } = await readAll(text);
  const scores: number[] = [];
  const table = [sessionsHeader];
  for (const login of logins) {
    const assessment = await replay.assess(login);
    expect(judge(assessment.evidence, policy).riskScore).toBe(assessment.riskScore);
    figures.add(login, assessment);
    scores.push(assessment.riskScore);
    if (assessment.recommendation !== "allow") table.push(writeSession(login, assessment));
  }
  const report = renderReport(figures, policy, "logins.csv", ["geography"]);
  return { figures, scores, table: table.join(""), report };
}

function lineOf(
  daysLater: number,
  ip: string,
  more: { user?: string; outcome?: string; label?: string; ua?: string } = {},
) {
  const { user = "alice", outcome = "success", label = "", ua = chrome } = more;
  return [new Date(start + daysLater * day).toISOString(), user, ip, ua, outcome, label].join(",");
}

describe("The file of past logins", () => {
  it("is read whatever the order of its columns, with quotes, and with the optional fields", async () => {
    const { logins, invalid } = await readAll(
      [
        "\ufeffOutcome,ua,client_hints,time_zone,ip,TIME,user,shoe size",
        'verified,"Agent, ""quoted""","{""sec-ch-ua-arch"":""x86""}",Europe/Oslo,192.0.2.1:99,2026-01-05T10:00:00+01:00,alice,44',
        "",
        "failure,,,,2001:DB8::1,2026-01-05T09:00:00Z,bob,",
      ].join("\r\n"),
    );
    expect(invalid).toEqual([]);
    expect(logins).toMatchObject([
      {
        line: 2,
        at: start,
        user: "alice",
        agent: 'Agent, "quoted"',
        outcome: "verified",
        label: null,
        address: { text: "192.0.2.1" },
        client: { timeZone: expect.any(String), clientHints: expect.any(String) },
      },
      { line: 4, at: start, user: "bob", agent: "", outcome: "failure", client: {} },
    ]);
  });

  it("has each invalid line reported with its number and reason, and left out", async () => {
    const { logins, invalid } = await readAll(
      [
        header,
        lineOf(0, "1.2.3.4"),
        lineOf(0, "1.2.3.400"),
        lineOf(0, "1.2.3.4", { outcome: "perhaps" }),
        lineOf(0, "1.2.3.4", { label: "odd" }),
        lineOf(0, "1.2.3.4").replace("2026", "26"),
        lineOf(0, "1.2.3.4", { user: "" }),
        "one,two",
        `${lineOf(0, "1.2.3.4")},more`,
        lineOf(1, "1.2.3.4", { user: "__proto__" }),
      ].join("\n"),
    );
    expect(invalid).toEqual([
      "3: ip must be an IPv4 or IPv6 address",
      "4: outcome must be one of success, verified, failure",
      "5: label must be one of legitimate, fraud",
      "6: time must be an RFC 3339 time such as 2026-08-15T09:30:00Z",
      "7: user must have 1 to 255 characters",
      "8: has 2 fields where the header has 6",
      "9: has 7 fields where the header has 6",
    ]);
    expect(logins.map(({ user }) => user)).toEqual(["alice", "__proto__"]);
  });

  it.each([
    ["", /line 1: the file is empty/],
    ["time,user,ip,ua\n", /line 1: the column outcome is missing/],
    [`${header},user\n`, /line 1: the column user is there twice/],
    [`${header}\n${lineOf(1, "1.2.3.4")}\n${lineOf(0, "1.2.3.4")}`, /line 3: the time is before/],
    [`${header}\n${lineOf(0, "1.2.3.4")}\n"2026`, /line 3: not CSV: a quoted field has no end/],
    [
      `${header}\n${lineOf(0, "1.2.3.4")}\n${"x".repeat(70_000)}`,
      /line 3: not CSV: the line is longer than 64 KiB/,
    ],
    [`${header}\n${lineOf(0, "1.2.3.4")}\na"b,c`, /line 3: not CSV: a quote is where none may be/],
    ["\u0000\u0001\u0002", /line 1: the column time is missing/],
  ])("ends the backtest with the line that is at fault: %j", async (text, message) => {
    await expect(readAll(text)).rejects.toThrow(message);
  });
});

describe("The replay", () => {
  const home = Array.from({ length: 12 }, (_, n) => lineOf(n, "84.208.20.110"));

  it("learns from what was let in, and sees who comes from elsewhere", async () => {
    const thief = lineOf(13, "177.38.4.9", { ua: "curl/8.9", label: "fraud" });
    const { scores, figures } = await backtest(
      [header, ...home, thief, lineOf(14, "84.208.20.110")].join("\n"),
    );
    expect(scores[0]).toBe(0.05);
    expect(scores[12]).toBeGreaterThan(0.1);
    expect(scores[13]).toBeLessThan(0.05);
    expect(figures.real.score.all).toBe(13);
    expect(figures.fraud.score.all).toBe(1);
    expect(figures.fraud.kinds.stuffing.countFrom(0.1)).toBe(1);
  });

  it("learns nothing from fraud and from what was not let in", async () => {
    const there = "177.38.4.9";
    const visits = (more: object) =>
      Array.from({ length: 5 }, (_, n) => lineOf(12 + n, there, more));
    const scoreAfter = async (more: object) => {
      const text = [header, ...home, ...visits(more), lineOf(20, there)].join("\n");
      return (await backtest(text)).scores.at(-1) ?? 0;
    };
    const known = await scoreAfter({ outcome: "verified" });
    expect(await scoreAfter({ label: "fraud" })).toBeGreaterThan(known + 0.01);
    expect(await scoreAfter({ outcome: "failure" })).toBeGreaterThan(known + 0.01);
  });

  it("counts the users tried from one address", async () => {
    const crowd = Array.from({ length: 30 }, (_, n) =>
      lineOf(0, "193.29.1.1", { user: `user-${n}`, outcome: "failure" }),
    );
    const { scores, figures } = await backtest([header, ...crowd].join("\n"));
    expect(scores.at(-1)).toBeGreaterThan(0.3);
    expect(figures).toMatchObject({ failures: 30, worst: [], assessed: 30 });
  });
});

describe("The report", () => {
  it("of the sample names who would have been challenged, by day and by kind", async () => {
    const { figures, report, table } = await backtest(sample, {
      ...defaultPolicy.sentinel,
      kinds: { stuffing: { challengeAt: 0.02 } },
    });
    const { real, fraud, days, worst, challengedUsers } = figures;
    const challenged = real.recommendations.challenge + real.recommendations.deny;
    expect(challenged).toBeGreaterThan(0);
    expect(fraud.recommendations.allow).toBeLessThan(fraud.score.all / 2);
    const byDay = [...days.values()];
    const sumOf = (pick: (one: (typeof byDay)[number]) => number) =>
      byDay.reduce((sum, one) => sum + pick(one), 0);
    expect(sumOf((one) => one.challenged + one.denied)).toBe(challenged);
    expect(sumOf(({ byKind }) => Object.values(byKind).reduce((a, b) => a + b))).toBe(challenged);
    expect(sumOf((one) => one.real)).toBe(real.score.countFrom(0));
    expect(challengedUsers.size).toBeLessThanOrEqual(challenged);
    expect(worst).toHaveLength(10);
    expect(new Set(worst.map(({ user }) => user)).size).toBe(10);
    const scores = worst.map(({ score }) => score);
    expect(scores).toEqual(scores.toSorted((left, right) => right - left));
    expect(scores[0]).toBeGreaterThanOrEqual(0.05);
    expect(table.trimEnd().split("\r\n")).toHaveLength(
      1 + challenged + fraud.score.all - fraud.recommendations.allow + countFailures(table),
    );
    expect(writeDays(figures).split("\r\n")).toHaveLength(days.size + 2);
    expect(report.match(/<svg/g)).toHaveLength(4);
    expect(report).toContain("challenge stuffing from 0.02");
  });

  it("needs nothing from another host, and shows no markup and no formula of a user", async () => {
    const names = ['<img src=x onerror="alert(1)">', "=HYPERLINK(1)", "</title>"];
    const lines = names.flatMap((user) => {
      const quoted = `"${user.replaceAll('"', '""')}"`;
      return [
        lineOf(0, "84.208.20.110", { user: quoted }),
        lineOf(2, "193.29.1.1", { user: quoted, ua: "curl/8.9" }),
      ];
    });
    const sorted = lines.toSorted((left, right) => (left < right ? -1 : 1));
    const { report, table } = await backtest([header, ...sorted].join("\n"), {
      ...defaultPolicy.sentinel,
      challengeAt: 0.01,
    });
    expect(report).not.toMatch(/<(img|script|link|iframe|a |object)|https?:|url\(|@import/i);
    expect(report).toContain("&lt;img src=x");
    expect(report).toContain("default-src 'none'");
    expect(table).toContain(",'=HYPERLINK(1),");
    expect(table).toContain('"<img src=x onerror=""alert(1)"">"');
    expect(`${report}${table}`).not.toMatch(/84\.208|193\.29|curl/);
  });

  it("has a sample that its generator writes", () => {
    expect([...generateLogins(sampleSize)].join("")).toBe(sample);
  });
});

/** Logins of the table that were not let in; the other figures leave them out. */
function countFailures(table: string): number {
  return table.split("\r\n").filter((line) => line.includes(",failure,,")).length;
}

describe("The options", () => {
  const none = { out: "out" };

  it("take thresholds, kinds and signals, and are those of the service otherwise", () => {
    expect(readOptions(none)).toEqual({
      out: "out",
      policy: { challengeAt: 0.5, denyAt: 0.8, signalsOff: [], kinds: {} },
    });
    const values = { challengeAt: "0.3", kind: ["phisher=0.2,0.6"], signalOff: ["vpn"] };
    expect(readOptions({ ...none, ...values }).policy).toEqual({
      challengeAt: 0.3,
      denyAt: 0.8,
      signalsOff: ["vpn"],
      kinds: { phisher: { challengeAt: 0.2, denyAt: 0.6 } },
    });
  });

  it.each<[Partial<BacktestValues>, RegExp]>([
    [{ challengeAt: "2" }, /between 0 and 1/],
    [{ denyAt: "0.1" }, /must not be less/],
    [{ kind: ["burglar=0.2"] }, /expected stuffing/],
    [{ kind: ["phisher"] }, /between 0 and 1/],
    [{ kind: ["phisher=0.5,0.2"] }, /must not be less/],
    [{ signalOff: ["astrology"] }, /no signal/],
  ])("refuse %j with a sentence", (values, message) => {
    expect(() => readOptions({ ...none, ...values })).toThrow(message);
  });
});
