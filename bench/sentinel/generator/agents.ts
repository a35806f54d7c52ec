/**
 * User agents that change over the year (pure). Each device has a real agent. On an earlier day it had the
 * same agent with the versions of that day, which follow from the pace of browser releases.
 */
import { mixBits, type Random, Weighted } from "../random.ts";
import { agentRates, type Reading, yearDays } from "./rates.ts";

export type DeviceKind = "mobile" | "desktop" | "tablet";
export const deviceKinds = ["mobile", "desktop", "tablet"] as const;

export interface KnownAgent {
  readonly text: string;
  /** Share of all agents. */
  readonly weight: number;
  readonly device: DeviceKind;
}

export interface AgentTable {
  readonly source: string;
  readonly agents: readonly KnownAgent[];
  /** The time at which these agents are in use, Unix ms. */
  readonly at: number;
}

const dayMs = 24 * 60 * 60 * 1000;

/** Tokens whose major version rises with each release. */
const steadyTokens = /\b(Chrome|Edg|EdgA|EdgiOS|OPR|Firefox|FxiOS|rv:)([/:]?)(\d{2,3})\b/g;
/** Tokens with irregular versions: the versions in the table are the steps of a ladder. */
const irregularTokens = /\b(Version|CriOS|GSA|iPhone OS|CPU OS|SamsungBrowser)([/ ])(\d[\d._]*)/g;
/** Systems that no longer report their version. */
const frozenVersions = /^(10|15|16|17|18)_/;

/** A rarer version is faked or very old, and is not a step of the ladder. */
const minShare = 0.0005;

function compareVersions(left: string, right: string): number {
  const parts = (text: string) => text.split(/[._]/).map(Number);
  const [first, second] = [parts(left), parts(right)];
  for (let index = 0; index < Math.max(first.length, second.length); index += 1) {
    const apart = (first[index] ?? -1) - (second[index] ?? -1);
    if (apart !== 0) return apart;
  }
  return 0;
}

/** For each irregular token, its common versions in ascending order. */
function collectLadders(agents: readonly KnownAgent[]): Map<string, string[]> {
  const seen = new Map<string, Map<string, number>>();
  for (const { text, weight } of agents) {
    for (const [, token = "", , version = ""] of text.matchAll(irregularTokens)) {
      if (frozenVersions.test(version)) continue;
      const versions = seen.get(token) ?? new Map<string, number>();
      seen.set(token, versions.set(version, (versions.get(version) ?? 0) + weight));
    }
  }
  return new Map(
    [...seen].map(([token, versions]) => {
      const common = [...versions].filter(([, weight]) => weight >= minShare);
      return [token, common.map(([version]) => version).toSorted(compareVersions)];
    }),
  );
}

/** A browser on a device. */
export interface Browser {
  readonly agent: KnownAgent;
  /** The delay of its updates, in releases (0 to 1). */
  readonly lag: number;
  /** Never updates. */
  readonly stuck: boolean;
}

export class AgentPool {
  readonly #ladders: Map<string, string[]>;
  readonly #byDevice: Map<DeviceKind, Weighted<KnownAgent>>;
  readonly #texts = new Map<string, string>();
  readonly #at: number;
  readonly #releaseDays: number;

  constructor(table: AgentTable, { flattened, releaseDays }: Reading) {
    this.#at = table.at;
    this.#releaseDays = releaseDays;
    this.#ladders = collectLadders(table.agents);
    this.#byDevice = new Map(
      deviceKinds.map((kind) => {
        const agents = table.agents.filter(({ device }) => device === kind);
        return [kind, new Weighted(agents, ({ weight }) => weight ** flattened)] as const;
      }),
    );
  }

  /** @throws RangeError if no agent of the kind is known */
  drawBrowser(kind: DeviceKind, random: Random): Browser {
    const pool = this.#byDevice.get(kind);
    if (pool === undefined) throw new RangeError(`No agent of a ${kind} device`);
    return {
      agent: pool.draw(random),
      lag: random.next(),
      stuck: random.chance(agentRates.neverUpdates),
    };
  }

  agentTextAt({ agent, lag, stuck }: Browser, at: number): string {
    const day = (this.#at - at) / dayMs;
    // A browser that never updates keeps the version from the start of the year.
    const releases = Math.floor((stuck ? yearDays : day) / this.#releaseDays + lag);
    const key = `${releases}/${agent.text}`;
    const known = this.#texts.get(key);
    if (known !== undefined) return known;
    const text = this.#ageText(agent.text, Math.max(0, releases));
    this.#texts.set(key, text);
    return text;
  }

  /** The agent after the next update of the browser; the same text if it shows none. */
  updateText(text: string): string {
    return this.#ageText(text, -1);
  }

  #ageText(text: string, releases: number): string {
    return text
      .replace(steadyTokens, (_, token: string, between: string, major: string) => {
        // Old versions of Gecko have another number for the engine.
        const next = Number(major) >= 60 ? Number(major) - releases : Number(major);
        return `${token}${between}${next}`;
      })
      .replace(irregularTokens, (whole, token: string, between: string, version: string) => {
        const ladder = this.#ladders.get(token) ?? [];
        const rung = ladder.indexOf(version);
        if (rung < 0) return whole;
        const steps = Math.round(
          (releases * ladder.length * this.#releaseDays) / agentRates.ladderDays,
        );
        return `${token}${between}${ladder[Math.max(0, rung - steps)] ?? version}`;
      });
  }
}

/** A stable pseudo-random share, from 0 to below 1, for a number. */
export function stableShareOf(number: number, salt: number): number {
  return mixBits(number ^ mixBits(salt)) / 2 ** 32;
}
