/** The compact form of assessments in D1 is lossless and stable, and the form of older builds stays readable. */
import { base64urlnopad } from "@scure/base";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { digestCanonicalJson } from "../../src/crypto/canonical.ts";
import {
  agentLevels,
  clientLevels,
  type Level,
  networkLevels,
} from "../../src/sentinel/context.ts";
import {
  agentKinds,
  dataSources,
  reportedParts,
  type SessionEvidence,
} from "../../src/sentinel/evidence.ts";
import { type Kinds, mapKinds } from "../../src/sentinel/kinds.ts";
import { networkKinds } from "../../src/sentinel/network/network-facts.ts";
import { reasonNames, signalNames } from "../../src/sentinel/reason.ts";
import { recommendations } from "../../src/sentinel/score.ts";
import { describeReasons } from "../../src/sentinel/signals/judgement.ts";
import { findReasons } from "../../src/sentinel/signals/reasons.ts";
import {
  formatContent,
  parseContent,
  readStoredEvidence,
  type StoredContent,
} from "../../src/sentinel/stored-assessment.ts";
import { attackerKinds } from "../../src/sentinel/weights.ts";
import { neutralEvidence } from "./example.ts";

const count = fc.nat();
const hash = fc.stringMatching(/^[0-9a-f]{16}$/);
/** Hashes, names, and texts that only look like hashes. */
const text = fc.oneof(
  hash,
  fc.string({ unit: "grapheme" }),
  fc.constantFrom("", "0123456789abcde", "0123456789ABCDEF", "\ufeff"),
);
const orNull = <T>(value: fc.Arbitrary<T>) => fc.option(value, { nil: null });
const number = fc.double({ noNaN: true, noDefaultInfinity: true }).map((value) => value + 0);
const share = fc.double({ noNaN: true, min: 0, max: 1 });
const counted = fc.record({ count, all: count });
const levelsOf = (names: readonly Level[]) =>
  fc.array(
    fc.record({
      level: fc.constantFrom(...names),
      seen: fc.boolean(),
      own: share,
      population: counted,
      ownNovelty: counted,
      novelty: counted,
    }),
    { maxLength: 5 },
  );

const clientHashes = fc.record(
  { timeZone: hash, acceptLanguage: hash, clientHints: hash, ja4: hash },
  { requiredKeys: [] },
);

const evidences: fc.Arbitrary<SessionEvidence> = fc.record({
  context: fc
    .record({
      country: orNull(text),
      asn: orNull(fc.integer()),
      prefix: orNull(text),
      address: orNull(text),
      device: orNull(text),
      os: orNull(text),
      browser: orNull(text),
      agent: text,
      placeHidden: fc.boolean(),
    })
    .chain((context) => clientHashes.map((hashed) => ({ ...context, ...hashed }))),
  network: fc.record(
    {
      facts: orNull(
        fc.record(
          {
            kinds: fc.subarray([...networkKinds]),
            threatGrade: fc.nat({ max: 15 }),
            asn: fc.integer(),
            country: text,
          },
          { requiredKeys: ["kinds", "threatGrade"] },
        ),
      ),
      address: text,
      prefix: text,
      reservedRange: orNull(text),
      tenantList: orNull(
        fc.record({
          list: fc.constantFrom("allow" as const, "deny" as const),
          entry: text,
          network: orNull(text),
        }),
      ),
      testResult: fc.constantFrom(...recommendations),
    },
    { requiredKeys: ["facts", "address", "prefix", "reservedRange", "tenantList"] },
  ),
  agent: fc.constantFrom(...agentKinds),
  agentSwitched: fc.boolean(),
  userMismatch: fc.boolean(),
  identity: fc.record(
    {
      failedAttempts: count,
      locked: fc.boolean(),
      attempts: fc.array(count),
      status: fc.constantFrom("locked", "suspended"),
    },
    { requiredKeys: ["failedAttempts", "locked", "attempts"] },
  ),
  behaviour: orNull(
    fc.record(
      {
        logins: fc.integer({ min: 1 }),
        sinceLastMs: count,
        network: levelsOf(networkLevels),
        agent: levelsOf(agentLevels),
        hour: fc.record({ own: share, population: share }),
        client: levelsOf(clientLevels),
      },
      { requiredKeys: ["logins", "sinceLastMs", "network", "agent", "hour"] },
    ),
  ),
  travel: orNull(fc.record({ kilometres: number, hours: number })),
  reported: fc.subarray([...reportedParts]),
  crowd: orNull(fc.record({ fromAddress: count, fromPrefix: count })),
});

const thresholds = fc.record({ challengeAt: share, denyAt: share }, { requiredKeys: [] });

/** Shares in ten-thousandths that add up to 1. */
const kinds = fc
  .array(fc.nat({ max: 1_600 }), {
    minLength: attackerKinds.length,
    maxLength: attackerKinds.length,
  })
  .map((parts): Kinds => {
    const real = parts.reduce((left, part) => left - part, 10_000) / 10_000;
    return { ...mapKinds((kind) => (parts[attackerKinds.indexOf(kind)] ?? 0) / 10_000), real };
  });

const contents: fc.Arbitrary<StoredContent> = fc.record(
  {
    evidence: evidences,
    reasons: fc.array(fc.record({ signal: fc.constantFrom(...reasonNames), contribution: number })),
    degraded: fc.subarray([...dataSources]),
    policy: fc.record(
      {
        challengeAt: share,
        denyAt: share,
        signalsOff: fc.array(fc.oneof(fc.constantFrom(...signalNames), text)),
        kinds: fc.record(
          mapKinds(() => thresholds),
          { requiredKeys: [] },
        ),
      },
      { requiredKeys: ["challengeAt", "denyAt", "signalsOff"] },
    ),
    kinds,
  },
  { requiredKeys: ["evidence", "reasons", "degraded", "policy"] },
);

const hashes = { prefix: "91660b374ccb4172", address: "1385f4df99ce2300" };
const population = { count: 15_234, all: 18_123 };
const compare = <T extends Level>(names: readonly T[]) =>
  names.map((level, index) => ({
    level,
    seen: true,
    own: 1 / (index + 1.1),
    population,
    ownNovelty: { count: 3, all: 99 },
    novelty: { count: 1_234, all: 15_678 },
  }));

/** What an ordinary login of a user with a full history keeps, in a tenant with a population. */
const ordinary: StoredContent = {
  evidence: {
    ...neutralEvidence,
    context: { ...neutralEvidence.context, ...hashes, agent: "5cb9cefbea549324" },
    network: {
      ...hashes,
      reservedRange: null,
      tenantList: null,
      facts: { kinds: [], threatGrade: 0, asn: 2119, country: "NO" },
    },
    agent: "browser",
    behaviour: {
      logins: 100,
      sinceLastMs: 86_400_123,
      network: compare(networkLevels),
      agent: compare(agentLevels),
      hour: { own: 7.285032970605585, population: 1.2345678901234567 },
    },
  },
  reasons: [
    { signal: "network_history", contribution: -2.2929 },
    { signal: "agent_history", contribution: -1.409 },
    { signal: "hour_of_week", contribution: -0.0621 },
  ],
  degraded: [],
  policy: { challengeAt: 0.5, denyAt: 0.8, signalsOff: [], kinds: {} },
  kinds: {
    stuffing: 0.0002,
    proxy: 0.0003,
    targeted: 0.0061,
    neighbour: 0.0039,
    housemate: 0.0012,
    phisher: 0.0003,
    real: 0.988,
  },
};

describe("The compact form of an assessment", () => {
  it("is lossless: whatever the evidence, its digest fits what is read", () => {
    fc.assert(
      fc.property(contents, (content) => {
        const read = parseContent(formatContent(content));
        expect(read).toEqual(content);
        expect(digestCanonicalJson(read?.evidence ?? {})).toBe(
          digestCanonicalJson(content.evidence),
        );
      }),
    );
  });

  it("does not change: D1 holds it for months", () => {
    const content: StoredContent = {
      evidence: {
        ...neutralEvidence,
        context: { ...neutralEvidence.context, ...hashes, agent: "" },
        network: {
          ...hashes,
          facts: { kinds: ["hosting", "threat"], threatGrade: 2, country: "NO" },
          reservedRange: "private",
          tenantList: { list: "deny", entry: "5cb9cefbea549324", network: null },
        },
        agent: "application",
        behaviour: {
          logins: 2,
          sinceLastMs: 5,
          network: compare(["address"] as const).map((level) => ({ ...level, own: 0.5 })),
          agent: [],
          hour: { own: 1.5, population: 1 },
        },
        travel: { kilometres: 7_000.5, hours: 2 },
        reported: ["agent"],
      },
      reasons: [{ signal: "velocity", contribution: 1 }],
      degraded: ["address_activity"],
      policy: { challengeAt: 0.5, denyAt: 0.8, signalsOff: ["vpn"] },
    };
    const olderForms = {
      withoutStatus:
        "1.hIqJYk5PGQhHSJFmCzdMy0FySBOF9N-ZziMAZ2Rlc2t0b3BnV2luZG93c2pDaHJvbWUgMTM4YPSFhIIACAL0Yk5PSBOF9N-ZziMASJFmCzdMy0FyZ3ByaXZhdGWDAUhcuc776lSTJPYF9PSDAPSDAQEBhQIFgYYD9fs_4AAAAAAAAIIZO4IZRsuCAxhjghkE0hk9PoCC-z_4AAAAAAAAAYL7QLtYgAAAAAACgQKCAQGBghgYAYECg_s_4AAAAAAAAPs_6ZmZmZmZmoFjdnBu",
      withoutTestResult:
        "1.hIqJYk5PGQhHSJFmCzdMy0FySBOF9N-ZziMAZ2Rlc2t0b3BnV2luZG93c2pDaHJvbWUgMTM4YPSFhIIACAL0Yk5PSBOF9N-ZziMASJFmCzdMy0FyZ3ByaXZhdGWDAUhcuc776lSTJPYF9PSEAPSDAQEB9IUCBYGGA_X7P-AAAAAAAACCGTuCGUbLggMYY4IZBNIZPT6Agvs_-AAAAAAAAAGC-0C7WIAAAAAAAoECggEBgYIYGAGBAoP7P-AAAAAAAAD7P-mZmZmZmZqBY3Zwbg",
      withoutDevice:
        "1.hIqJYk5PGQhHSJFmCzdMy0FySBOF9N-ZziMAZ2Rlc2t0b3BnV2luZG93c2pDaHJvbWUgMTM4YPSGhIIACAL0Yk5PSBOF9N-ZziMASJFmCzdMy0FyZ3ByaXZhdGWDAUhcuc776lSTJPb0BfT0hAD0gwEBAfSFAgWBhgP1-z_gAAAAAAAAghk7ghlGy4IDGGOCGQTSGT0-gIL7P_gAAAAAAAABgvtAu1iAAAAAAAKBAoIBAYGCGBgBgQKD-z_gAAAAAAAA-z_pmZmZmZmagWN2cG4",
      withoutActivityOfTenant:
        "1.hIuJYk5PGQhHSJFmCzdMy0FySBOF9N-ZziMAZ2Rlc2t0b3BnV2luZG93c2pDaHJvbWUgMTM4YPSGhIIACAL0Yk5PSBOF9N-ZziMASJFmCzdMy0FyZ3ByaXZhdGWDAUhcuc776lSTJPb0BfT0hAD0gwEBAfSFAgWBhgP1-z_gAAAAAAAAghk7ghlGy4IDGGOCGQTSGT0-gIL7P_gAAAAAAAABgvtAu1iAAAAAAAKBAoIBAfSBghgYAYECg_s_4AAAAAAAAPs_6ZmZmZmZmoFjdnBu",
    };
    for (const older of Object.values(olderForms)) expect(parseContent(older)).toEqual(content);
    expect(formatContent(content)).toMatchInlineSnapshot(
      `"1.hIqJYk5PGQhHSJFmCzdMy0FySBOF9N-ZziMAZ2Rlc2t0b3BnV2luZG93c2pDaHJvbWUgMTM4YPSFhIIACAL0Yk5PSBOF9N-ZziMASJFmCzdMy0FyZ3ByaXZhdGWDAUhcuc776lSTJPYF9PSDAPSDAQEBhQIFgYYD9fs_4AAAAAAAAIIZO4IZRsuCAxhjghkE0hk9PoCC-z_4AAAAAAAAAYL7QLtYgAAAAAACgQKCAQGBghgYAYECg_s_4AAAAAAAAPs_6ZmZmZmZmoFjdnBu"`,
    );
  });

  it("keeps a row below the length from which it would take a page for itself", () => {
    expect(formatContent(ordinary).length).toBeLessThan(700);
    expect(formatContent({ ...ordinary, degraded: [...dataSources] }).length).toBeLessThan(720);
  });

  it("has the sentences of its reasons again, and a general one for a signal of another model", () => {
    const { evidence } = ordinary;
    const reasons = findReasons(evidence, []);
    expect(reasons.length).toBeGreaterThan(1);
    const stored = [
      ...reasons.map(({ signal, contribution }) => ({ signal, contribution })),
      { signal: "vpn" as const, contribution: 1.2 },
    ];
    const policy = { challengeAt: 0.5, denyAt: 0.8, signalsOff: [] };
    const described = describeReasons(evidence, stored, policy);
    expect(described.slice(0, -1)).toEqual(reasons);
    expect(described.at(-1)).toEqual({
      signal: "vpn",
      contribution: 1.2,
      detail: "An earlier model found this signal in the session's evidence.",
    });
  });
});

describe("Stored evidence", () => {
  it("is read in the compact form and in the form of older builds", () => {
    expect(readStoredEvidence(formatContent(ordinary))).toEqual(ordinary.evidence);
    fc.assert(
      fc.property(evidences, (evidence) => {
        expect(readStoredEvidence(JSON.stringify(evidence))).toEqual(evidence);
      }),
    );
  });

  it.each(["", "1.", "1.gA", "1.hPb29vY", "2.gA", "1.!", '{"context":1}', "[", "null", "7"])(
    "that is damaged is no content: %s",
    (damaged) => {
      expect(parseContent(damaged)).toBeUndefined();
      expect(() => readStoredEvidence(damaged)).not.toThrow();
    },
  );

  it("that is cut off or continues is no content", () => {
    const whole = formatContent(ordinary);
    for (let length = 2; length < whole.length; length += 1) {
      expect(parseContent(whole.slice(0, length))).toBeUndefined();
    }
    expect(parseContent(`${whole}AAAA`)).toBeUndefined();
  });

  it("that holds any bytes or nests without end causes no error", () => {
    fc.assert(
      fc.property(fc.uint8Array(), (bytes) => {
        expect(() => parseContent(`1.${base64urlnopad.encode(bytes)}`)).not.toThrow();
      }),
    );
    const nested = new Uint8Array(100_000).fill(0x81);
    expect(parseContent(`1.${base64urlnopad.encode(nested)}`)).toBeUndefined();
    const endless = new Uint8Array([0x9b, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff]);
    expect(parseContent(`1.${base64urlnopad.encode(endless)}`)).toBeUndefined();
  });
});
