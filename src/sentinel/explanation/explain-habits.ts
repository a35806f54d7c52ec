/** The steps of the four signals about habits (pure), from the ratios of network, agent, hour and client. */
import {
  type BehaviourPart,
  courseOf,
  findBounds,
  findPlacesIn,
  hasKnownAgent,
  maxOfHistory,
  weighConfirmed,
} from "../behaviour/attacker-model.ts";
import { findOrderedPlaces, mixInOrder } from "../behaviour/order.ts";
import type { HierarchyName } from "../context.ts";
import type { BehaviourEvidence } from "../evidence.ts";
import {
  attackerKinds,
  attackers,
  behaviourBounds,
  calibration,
  trust,
  weakShare,
} from "../weights.ts";
import { HierarchySteps } from "./explain-hierarchy.ts";
import { explainCourse, explainLevel, nothingSkipped, pathOfLevel } from "./explain-level.ts";
import { literal, productOf, type Sheet } from "./sheet.ts";

function isCompared(
  behaviour: BehaviourEvidence,
  hierarchy: HierarchyName,
  off: readonly BehaviourPart[],
): boolean {
  return behaviour[hierarchy].length > 0 && !off.includes(hierarchy);
}

/** `min(max, max(min, value))`, with the bounds in figures. */
function within(min: number, max: number, value: string): string {
  return `min(${literal(max)}, max(${literal(min)}, ${value}))`;
}

/** The line between two points of the calibration. Beyond the points nothing is corrected. */
function explainCalibration(sheet: Sheet, prefix: string, stated: number): string {
  const next = calibration.findIndex(([from]) => stated < from);
  const [from, to] = [calibration[next - 1], calibration[next]];
  if (from === undefined || to === undefined) return `${prefix}stated`;
  const [[x0, y0], [x1, y1]] = [from, to];
  sheet.compute(
    `${prefix}calibrated`,
    `${literal(y0)} + (${prefix}stated - ${literal(x0)}) * (${literal(y1)} - ${literal(y0)}) / (${literal(x1)} - ${literal(x0)})`,
    "corrected by what turned out to be true of such sessions",
  );
  return `${prefix}calibrated`;
}

function explainSoftening(sheet: Sheet, prefix: string, calibrated: string, value: number): string {
  const { from, max } = behaviourBounds.knownAgent;
  if (value <= from) return calibrated;
  sheet.compute(
    `${prefix}softened`,
    `${max} - (${max} - ${from}) * exp((${from} - ${calibrated}) / (${max} - ${from}))`,
    "with a known agent, the evidence approaches a challenge and does not reach it",
  );
  return `${prefix}softened`;
}

/** The names of the steps that other signals build on. */
export interface HabitNames {
  /** The evidence of network and agent together, and of the network alone. */
  readonly both: string;
  readonly network: string;
}

/**
 * @param prefix of the names of the steps: empty, or that of another comparison of the same session
 * @returns the names of the evidence of network and agent
 */
export function explainNetworkAndAgent(
  sheet: Sheet,
  prefix: string,
  behaviour: BehaviourEvidence,
  off: readonly BehaviourPart[],
): HabitNames {
  const { compared, ofBoth, ofNetwork } = weighConfirmed(behaviour, off);
  const network = findPlacesIn("network", compared, off);
  const agent = findPlacesIn("agent", compared, off);
  const judged = findOrderedPlaces(network, agent);
  const isAgentKnown = judged.agent === agent.all.length - 1;
  const agentRange = isAgentKnown ? null : { from: judged.agent, to: judged.agent };
  const networkSteps = new HierarchySteps(sheet, prefix, "network", compared, off, [
    judged.network,
  ]);
  const networkRatio = networkSteps.explainOwn();
  const judgedNetwork = networkSteps.explainJudged(judged.network);
  const agentSteps = new HierarchySteps(sheet, prefix, "agent", compared, off, [agentRange]);
  agentSteps.explainOwn();
  const judgedAgent = agentSteps.explainJudged(agentRange);
  const { min, max } = findBounds(compared);
  sheet.begin(`${prefix}network and agent`);
  sheet.compute(
    `${prefix}mixture`,
    `sum(attacker_share * ${judgedNetwork} * ${judgedAgent})`,
    "the ratio of all kinds of attacker together",
  );
  sheet.compute(`${prefix}stated`, `ln(${prefix}mixture)`, "the same in log-odds");
  const stated = Math.log(mixInOrder(network, agent));
  const isBoth = isCompared(compared, "network", off) && isCompared(compared, "agent", off);
  let last = isBoth ? explainCalibration(sheet, prefix, stated) : `${prefix}stated`;
  if (hasKnownAgent(compared, off)) {
    const value = sheet.steps.at(-1)?.value ?? 0;
    last = explainSoftening(sheet, prefix, last, value);
  }
  const both = `${prefix}both`;
  sheet.conclude(
    both,
    within(min, max, last),
    ofBoth,
    "network and agent together, within the bounds of this evidence",
  );
  if (!isCompared(compared, "agent", off)) return { both, network: both };
  const alone = `${prefix}network_alone`;
  sheet.conclude(
    alone,
    within(min, max, `ln(sum(attacker_share * ${networkRatio}))`),
    ofNetwork,
    "the network alone, within the same bounds",
  );
  return { both, network: alone };
}

export function explainHour(sheet: Sheet, behaviour: BehaviourEvidence): string {
  const { hour, logins, weak = 0 } = behaviour;
  sheet.begin("hour_of_week");
  sheet.read(
    "hour.own",
    hour.own,
    "how common the user's logins are at this hour; 1 is the average",
  );
  sheet.read("hour.population", hour.population, "the same for the population");
  sheet.read("hour.sessions", logins, "sessions that it was compared with");
  sheet.read("hour.weak", weak, "of them, those that nobody confirmed");
  sheet.compute(
    "hour.user",
    `((hour.sessions - ${1 - weakShare} * hour.weak) * hour.own + ${trust.hours} * hour.population) / (hour.sessions - ${1 - weakShare} * hour.weak + ${trust.hours})`,
    "the same for the user, corrected for few sessions",
  );
  sheet.weigh(
    "hour.kept",
    attackerKinds.map((kind) => (attackers[kind].keepsHours ? 1 : 0)),
    "1: this kind of attacker keeps to the user's hours",
  );
  sheet.compute(
    "hour.ratio",
    "hour.kept + (1 - hour.kept) * hour.population / hour.user",
    "the ratio of each kind of attacker to the user",
  );
  return "hour.ratio";
}

/** The bound of the evidence of the hour, which depends on what network and agent say. */
export function boundHour(
  behaviour: BehaviourEvidence,
  off: readonly BehaviourPart[],
  both: string,
) {
  const { hour, knownAgent } = behaviourBounds;
  const most = maxOfHistory(behaviour);
  const bounds = [
    String(hour.max),
    ...(hasKnownAgent(behaviour, off) ? [`max(0, ${knownAgent.max} - ${both})`] : []),
    ...(Number.isFinite(most) ? [`${most} - ${both}`] : []),
  ];
  return `min(${bounds.join(", ")}, max(${literal(hour.min)}, ln(sum(attacker_share * hour.ratio))))`;
}

export function explainClient(sheet: Sheet, behaviour: BehaviourEvidence): string {
  const { client = [] } = behaviour;
  sheet.begin("client");
  const course = explainCourse(sheet, "client", courseOf("agent", behaviour), true);
  const ratios = client.map((evidence) => {
    const { level, seen } = evidence;
    const path = pathOfLevel(level);
    sheet.begin(path);
    const outcome = explainLevel(sheet, path, "agent", evidence, course, nothingSkipped, {
      known: seen,
      new: !seen,
      user: true,
    });
    const { attacker, user } = (seen ? outcome.known : outcome.new) ?? { attacker: "1", user: "1" };
    sheet.compute(
      `${path}.ratio`,
      `${attacker} / ${user}`,
      "the ratio: how much likelier this is of each kind of attacker than of the user",
    );
    return `${path}.ratio`;
  });
  sheet.begin("client_history");
  sheet.compute("client.ratio", productOf(ratios), "the ratio of all fields together");
  return "client.ratio";
}
