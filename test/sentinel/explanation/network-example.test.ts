/** The example in numbers of docs/sentinel.md has the figures that this build computes, and they follow from each other. */
import { expect, test } from "vitest";
import document from "../../../docs/sentinel.md?raw";
import { type Context, hierarchies, type Level } from "../../../src/sentinel/context.ts";
import { explainScore } from "../../../src/sentinel/explanation/explain.ts";
import type { Step } from "../../../src/sentinel/explanation/sheet.ts";
import { levelNames } from "../../../src/sentinel/signals/level-names.ts";
import { attackerKinds, newness } from "../../../src/sentinel/weights.ts";
import { createSession, day, now, usualContext } from "../example.ts";
import { assessWith } from "../sessions.ts";
import { calculate, findWrongSteps } from "./calculator.ts";

const home: Context = { ...usualContext, pool: "pool-1" };
const atCottage = (address: string): Context => ({
  ...home,
  asn: 2120,
  pool: "pool-2",
  prefix: "prefix-2",
  address,
});

/** A login a day for 30 days, 34 days ago. Every tenth came from the cottage, from another address of its block. */
const history = Array.from({ length: 30 }, (_, index) =>
  createSession({
    id: `s${index}`,
    at: now - (34 + 29 - index) * day,
    context: index % 10 === 0 ? atCottage(`address-${index + 2}`) : home,
  }),
);

const { assessment } = assessWith(history, atCottage("address-99"), now);
const { steps = [] } = explainScore(assessment.evidence, assessment.policy) ?? {};
const stepOf = (name: string): Step | undefined => steps.find((step) => step.name === name);
/** The document writes a minus, and so the text can be read as a formula no more. */
const write = (value: number | null | undefined) => String(value ?? "–").replace("-", "−");
const numberOf = (name: string) => write(stepOf(name)?.value);
const kindsOf = (name: string) =>
  attackerKinds.map((kind) => write(stepOf(name)?.byKind?.[kind])).join(" | ");
const pathOf = (level: Level) => (level === "agent" ? "agent_text" : level);
const table = (head: string, rows: readonly string[]) =>
  [head, head.replaceAll(/[^|]+/g, " --- "), ...rows].join("\n");
const all = [...hierarchies.network, ...hierarchies.agent];
const kindColumns = attackerKinds.map((kind) => `\`${kind}\``).join(" | ");

const ofUser = table(
  "| level | right after | after long | halfway | few | `usually_new` | `was_new` | `expected_new` | `restlessness` | `user_is_new` |",
  hierarchies.network.map((level) => {
    const { immediate, longTerm, halfwayMs, fewLogins } = newness[level];
    const weights = [immediate, longTerm, halfwayMs / day, fewLogins].join(" | ");
    const counted = ["usually_new", "was_new", "expected_new", "restlessness", "user_is_new"].map(
      (name) => numberOf(`${level}.${name}`),
    );
    return `| ${levelNames[level]} | ${weights} | ${counted.join(" | ")} |`;
  }),
);

const imitations = table(
  `| level | ${kindColumns} |`,
  all.map((level) => `| ${levelNames[level]} | ${kindsOf(`${pathOf(level)}.imitates`)} |`),
);

const shares = table(
  "| level | `share` | `population` | `own` | `chance` |",
  all.map((level) => {
    const names = ["share", "population", "own", "chance"].map((name) =>
      numberOf(`${pathOf(level)}.${name}`),
    );
    return `| ${levelNames[level]} | ${names.join(" | ")} |`;
  }),
);

const outcome = (level: Level) => (level === "address" ? "new" : "known");
const ofAttackers = table(`| | the user | ${kindColumns} |`, [
  ...hierarchies.network.map((level) => {
    const [user, attacker] = [
      `${level}.user_${outcome(level)}`,
      `${level}.attacker_${outcome(level)}`,
    ];
    return `| ${levelNames[level]} is ${outcome(level)} | ${numberOf(user)} | ${kindsOf(attacker)} |`;
  }),
  `| all of it | ${numberOf("network.user_new_address")} | ${kindsOf("network.attacker_new_address")} |`,
  `| ratio to the user | 1 | ${kindsOf("network.ratio")} |`,
  `| how common the kind is | | ${kindsOf("attacker_share")} |`,
]);

const ofAgent = table(`| | ${kindColumns} |`, [
  ...hierarchies.agent.map(
    (level) => `| ${levelNames[level]} is known | ${kindsOf(`${pathOf(level)}.attacker_known`)} |`,
  ),
  `| ratio to the user | ${kindsOf("agent.ratio")} |`,
]);

const chain = table(
  "| step | formula | value |",
  [
    ["network_alone", "ln(sum(attacker_share * network.ratio))"],
    ["mixture"],
    ["stated"],
    ["calibrated"],
    ["both", "calibrated, to four decimals"],
    ["hour.own", "from the inputs, to seven digits"],
    ["hour.population", "from the inputs, where 1 stands for the average hour"],
    ["hour.sessions", "from the inputs, all sessions of the history"],
    ["hour.weak", "from the inputs, none without a confirmation"],
    ["hour.user"],
    ["hour.evidence"],
    ["network_history"],
    ["agent_history"],
    ["hour_of_week"],
    ["prior"],
    ["sum"],
    ["risk_score"],
  ].map(([name = "", formula]) => {
    const shown = (formula ?? stepOf(name)?.formula ?? "").replaceAll("|", "\\|");
    return `| \`${name}\` | ${formula?.includes(",") ? shown : `\`${shown}\``} | ${numberOf(name)} |`;
  }),
);

test("the network of the example is worth −2.91", () => {
  const [reason] = assessment.reasons;
  expect(reason).toMatchObject({ signal: "network_history" });
  expect(reason?.contribution.toFixed(2)).toBe("-2.91");
  expect(document).toContain(`> ${reason?.detail}`);
});

test("the sum of all kinds is the one in the text", () => {
  const sum = calculate(
    "sum(attacker_share * network.ratio)",
    new Map(steps.map((one) => [one.name, one])),
  );
  expect(document).toContain(`and ln(${sum.toPrecision(4)}) = −2.9105`);
  expect(document).toContain(`${Math.round(1 / sum)} times likelier`);
});

test("the figures of the example follow from each other", () => {
  expect(steps.length).toBeGreaterThan(80);
  expect(findWrongSteps(steps)).toEqual([]);
});

test.each([
  ["of the user", ofUser],
  ["of the imitations", imitations],
  ["of the shares", shares],
  ["of the attackers", ofAttackers],
  ["of the agent", ofAgent],
  ["of the sum", chain],
])("the table %s has the figures of this build", (_name, expected) => {
  const isCurrent = document.includes(`\n${expected}\n`);
  expect(isCurrent, `docs/sentinel.md should have the table:\n\n${expected}\n`).toBe(true);
});
