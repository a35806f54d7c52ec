/** Renders the report docs/sentinel-evaluation.md (pure). */
import { whole } from "../../support/figures.ts";
import type { Provider } from "../generator/networks.ts";
import { sentinelName } from "../models/sentinel.ts";
import { type Columns, poolColumns } from "../results.ts";
import type { Year } from "../year.ts";
import { type ComparedData, renderBarTable } from "./bars.ts";
import {
  renderBeforeTable,
  renderExperienceTable,
  renderReliabilityTable,
} from "./before-tables.ts";
import {
  renderAuditTable,
  renderGeneratorTable,
  renderLeaseTable,
  renderOverlapTable,
} from "./data-tables.ts";
import { compareWithFreeman, renderKindTable, renderPolicyTable } from "./kind-tables.ts";
import {
  renderAblationTable,
  renderColdStartTable,
  renderEqualTable,
  renderHardnessTable,
  renderResultTable,
} from "./main-tables.ts";
import { type Comparison, compareModels } from "./outcome.ts";
import { findRecords } from "./records.ts";
import {
  hardnessText,
  missedText,
  protocolText,
  publishedText,
  readingText,
  renderLimits,
  renderTargeted,
} from "./texts.ts";
import {
  renderCarriedTable,
  renderReauthenticationTable,
  renderShippedTable,
} from "./threshold-tables.ts";

export interface Evaluation {
  readonly command: string;
  readonly at: string;
  readonly machine: string;
  readonly versions: string;
  readonly sources: readonly string[];
  /** Name of the set of signals and weights. */
  readonly model: string;
  readonly users: number;
  readonly years: readonly Year[];
  /** Years with the locality of the literature. */
  readonly localityYears: readonly Year[];
  /** Years of the other reading of the published shares. */
  readonly otherYears: readonly Year[];
  /** The networks that people live in. */
  readonly providers: readonly Provider[];
  /** Resamples of the users for the intervals. */
  readonly rounds: number;
}

function renderOpening(evaluation: Evaluation): string {
  const { command, at, machine, versions, sources, model, users, years } = evaluation;
  const seeds = years.map(({ seed }) => seed).join(", ");
  return `# How good Sentinel is

**The logins are synthetic.** None of them is real. A generator creates people with homes, phones,
workplaces, trips and browsers that update, on real networks and with real agents. It is calibrated to
published counts. The figures compare models on the same logins; they do not predict what a model would do
at a certain service.

Written by \`${command}\` on ${at}: ${model}, seeds ${seeds}, ${whole(users)} users each. ${machine}.
${versions}. Data: ${sources.join("; ")}. [bench/README.md](../bench/README.md#sentinel) describes how to run it.`;
}

const plots = `![Attacks caught for real logins challenged](sentinel-roc.svg)

![Real logins challenged for attacks caught](sentinel-challenge.svg)`;

function digestsOf(years: readonly Year[]): number[] {
  return years.map(({ digest }) => digest);
}

/** The figures of one data set beside those of sentinel-2 and of the trained models. */
function renderBefore(
  years: readonly Year[],
  columns: Columns,
  comparisons: readonly Comparison[],
): string[] {
  const digests = digestsOf(years);
  const [before] = findRecords("sentinel-2", digests);
  return [
    renderBeforeTable(comparisons, sentinelName, before, findRecords("trained", digests)),
    "What happens to real users whose login equals their last one, except for one thing: challenged or denied / denied.",
    renderExperienceTable(columns, before),
    "The last session of some was challenged, and the user proved it with one code. That session is on probation for three days, so the same login is challenged again; with sentinel-2, one code was full trust, also of an attacker who had phished it. That is why a row can be worse.",
    "How often sessions with a stated risk are attacks. Factors above 1.5 are bold; those of fewer than 50 sessions are in brackets. For sentinel-2: stated / observed.",
    renderReliabilityTable(columns, before),
  ];
}

function compareLocality(years: readonly Year[]): ComparedData[] {
  if (years.length === 0) return [];
  const [before] = findRecords("sentinel-2", digestsOf(years));
  const columns = poolColumns(years.map((year) => year.columns));
  return [{ columns, before, suffix: " (published locality)" }];
}

function renderLocality(years: readonly Year[], providers: readonly Provider[]): string[] {
  if (years.length === 0) return ["Not in this run."];
  const columns = poolColumns(years.map((year) => year.columns));
  return [
    `Seeds ${years.map(({ seed }) => seed).join(", ")}.`,
    ...renderBefore(years, columns, compareModels(columns, "matched", 0)),
    "How far the IPv4 addresses of homes move when they change. A range of the network table stands for a BGP prefix:",
    renderLeaseTable(providers),
    "The data:",
    renderGeneratorTable(years, false),
  ];
}

const beforeText = `Sentinel-2 is the code of commit 752ff07, run on exactly these logins; [bench/README.md](../bench/README.md#sentinel)
has the command. The trained models learned from the labelled logins and attacks of the validation period. Each cell has the ROC AUC, and the
attacks caught in % where 0.1 / 1 / 5 / 10 % of real logins are challenged.`;

const kindText = `The answer has a probability for each kind of attacker, and a policy may have a threshold for each. Thresholds are found
in the validation period and measured in the test period. "One policy for all" holds thresholds for several kinds at once, and
challenges about the share of real logins in the first column. It is compared with the Freeman sum at the share that it really
challenges, if that is more. "One threshold for this attacker" spends all of the share on one kind. Figures that are not
ahead of the Freeman sum are bold.`;

export function renderDocument(evaluation: Evaluation): string {
  const { years, localityYears, otherYears, rounds, providers } = evaluation;
  const columns = poolColumns(years.map((year) => year.columns));
  const beginnings = years.flatMap((year) => year.beginnings);
  const matched = compareModels(columns, "matched", rounds);
  const operation = compareModels(columns, "operation", rounds);
  const real = matched[0]?.real ?? 0;
  const kinds = compareWithFreeman(columns);
  const [before] = findRecords("sentinel-2", digestsOf(years));
  const other = poolColumns(otherYears.map((year) => year.columns));
  const parts = [
    renderOpening(evaluation),
    "## The bars",
    renderBarTable(
      columns,
      matched,
      kinds,
      [{ columns, before, suffix: "" }, ...compareLocality(localityYears)],
      findRecords("trained", digestsOf(years)),
    ),
    `The matched data, test period, all seeds. The bars were set before Sentinel 3 was built; those of recall are the published results of the best trained model. Intervals are the middle 95 % of ${rounds} resamples of the users.`,
    missedText,
    "## Before and after",
    beforeText,
    "### Matched data",
    ...renderBefore(years, columns, matched),
    "### Data with published locality",
    ...renderLocality(localityYears, providers),
    "## Thresholds by kind",
    kindText,
    renderKindTable(kinds),
    "The thresholds of the policy for all attackers:",
    renderPolicyTable(kinds),
    renderTargeted(years),
    plots,
    "## How hard the data is",
    "A bar that was measured on other data means little unless one model ran on both data sets. The Freeman sum is such a model. The table shows its ROC AUC, and what the better model adds to it:",
    renderHardnessTable(matched, operation),
    hardnessText,
    protocolText,
    "## Results",
    `Test period, all seeds: ${whole(real)} real logins, and as many attacks of each kind, or fewer where no suitable attacker exists.`,
    renderResultTable(matched),
    publishedText,
    "### At equal false positives",
    "The table shows the attacks caught if every model challenges the same share of real logins:",
    renderEqualTable(matched),
    "### As in operation",
    "This comparison has all real logins with a history, and attacks 2 to 72 hours after any login. Most real logins come later than that, so time alone reveals attacks ([see below](#can-attacks-be-recognised-without-the-user)). Sentinel uses time and gains from it, which is realistic only if real attacks have this timing. Read this table together with the matched one, not instead of it.",
    renderResultTable(operation),
    "### Thresholds from the validation period",
    "The thresholds are set on the validation period and applied to the test period: attacks caught / real logins challenged.",
    renderCarriedTable(columns),
    "Sentinel with its defaults (`challenge_at` 0.5, `deny_at` 0.8):",
    renderShippedTable(columns),
    "### Challenges per user",
    "The table shows the share of a user's first twelve logins that is challenged, as the median over all users. The threshold is set so that 99.5 % of attacks are caught. The very first login counts as challenged. Only users whose twelfth login is in the test period count.",
    renderReauthenticationTable(columns, beginnings),
    "### Cold start",
    "The table shows the ROC AUC by the number of earlier logins. Without a history there is nothing to compare with, so a model cannot exceed 0.5. Stuffing is the exception, because Sentinel counts the other attempts from the same network.",
    renderColdStartTable(columns),
    "### The gain of each part",
    "Sentinel with parts switched off (matched): AUC, and attacks caught at 1 % challenged.",
    renderAblationTable(columns),
    "## The data",
    renderGeneratorTable(years, false),
    "How often attackers have a value of the victim's history (_published_):",
    renderOverlapTable(columns),
    "## Can attacks be recognised without the user?",
    "A naive Bayes model gets no data about the user, only the size of the history, the time, or how common the network or the agent is. It learns from the validation period. The tables show its ROC AUC in the test period, where 0.5 means that it recognises nothing. In the matched comparison:",
    renderAuditTable(columns, "matched"),
    "As in operation, the rhythm reveals the attacks, because they come within three days and most logins do not:",
    renderAuditTable(columns, "operation"),
    ...(otherYears.length === 0
      ? []
      : [
          readingText,
          renderGeneratorTable(otherYears, true),
          renderResultTable(compareModels(other, "matched", 0)),
          renderAuditTable(other, "matched"),
        ]),
    renderLimits(years),
  ];
  return `${parts.join("\n\n")}\n`;
}
