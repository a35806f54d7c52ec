/** The worked example of docs/sentinel.md has the figures that this build computes. */
import { expect, test } from "vitest";
import document from "../../docs/sentinel.md?raw";
import type { Context } from "../../src/sentinel/context.ts";
import { scoreOf } from "../../src/sentinel/score.ts";
import { priorProbability } from "../../src/sentinel/weights.ts";
import { createLogins, hour, neutralEvidence, now, usualContext } from "./example.ts";
import { assessWith } from "./sessions.ts";

function format(value: number, digits = 3): string {
  const sign = value < 0 ? "−" : "+";
  return `${sign}${Math.abs(value).toFixed(digits)}`;
}

test("the example goes from the prior to the score", () => {
  const home: Context = { ...usualContext, pool: "pool-1" };
  const japan: Context = {
    ...home,
    country: "JP",
    asn: 2516,
    pool: "pool-2",
    prefix: "prefix-2",
    address: "address-2",
    placeHidden: true,
  };
  const facts = { kinds: ["hosting"], threatGrade: 0 } as const;
  const network = { ...neutralEvidence.network, facts };
  const { assessment } = assessWith(createLogins(20, 20 * hour, home), japan, now, network);
  const { reasons, riskScore, recommendation, kinds } = assessment;
  const prior = Math.log(priorProbability / (1 - priorProbability));
  let sum = prior;
  const rows = reasons.map((reason, index) => {
    sum += reason.contribution;
    const score = scoreOf(reasons.slice(0, index + 1)).toFixed(2);
    const { signal, detail, contribution } = reason;
    return `| \`${signal}\`: ${detail} | ${format(contribution)} | ${format(sum)} | ${score} |`;
  });
  const { real = 0, ...attackers } = kinds ?? {};
  const byKind = Object.entries(attackers)
    .toSorted(([, left], [, right]) => right - left)
    .map(([kind, share]) => `| \`${kind}\` | ${share.toFixed(4)} |`);
  const expected = `| step | log-odds | sum | score |
| --- | --- | --- | --- |
| the prior: 5 % of all sessions are assumed to be an attacker's | ${format(prior)} | ${format(prior)} | 0.05 |
${rows.join("\n")}

The \`risk_score\` is **${riskScore}**, and the recommendation is \`${recommendation}\`. \`kinds\` says how the score is divided, and
what it leaves for the real user:

| kind | probability |
| --- | --- |
${byKind.join("\n")}
| \`real\` | ${real.toFixed(4)} |
`;
  const isCurrent = document.includes(expected);
  expect(isCurrent, `Replace the example of docs/sentinel.md with:\n\n${expected}`).toBe(true);
});
