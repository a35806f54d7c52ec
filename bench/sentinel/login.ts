/** A login as models see it, and the interface of a model. */
import type { AgentFacts } from "../../src/sentinel/agent.ts";
import type { Recommendation } from "../../src/sentinel/score.ts";

/** Identities tried from the address and from its /24 in the last ten minutes, this one included. */
export interface Crowd {
  readonly fromAddress: number;
  readonly fromPrefix: number;
  /** Identities of a campaign or an office whose network is new to them; absent: those that the logins show. */
  readonly fromNetwork?: number;
}

export interface Login {
  /** Unix ms. */
  readonly at: number;
  readonly user: number;
  readonly country: string;
  readonly asn: number;
  /** The /20 or /40. */
  readonly pool: string;
  /** The /24 or /48. */
  readonly prefix: string;
  readonly address: string;
  readonly agent: string;
  readonly facts: AgentFacts;
  readonly crowd: Crowd;
}

/** What Sentinel answers. */
export interface Judgement {
  readonly risk: number;
  readonly recommendation: Recommendation;
  /** The probability of each kind of attacker. Sentinel-2 has none. */
  readonly kinds: Readonly<Record<string, number>>;
}

/** A model receives one year of one seed in the order of time. */
export interface Model {
  readonly name: string;
  /** Learns from a confirmed login of the user. */
  observe(login: Login): void;
  /** Scores a login, from what was observed before. A higher score is more suspicious. */
  score(login: Login): number;
  /** What the model would answer, if it answers more than a score. */
  judge?(login: Login): Judgement;
}

/** The features of a login, from fine to coarse. */
export const features = {
  network: ["address", "asn", "country"],
  agent: ["agent", "browser", "os", "device"],
} as const;
export type Feature = (typeof features)["network"][number] | (typeof features)["agent"][number];

export function featureOf(login: Login, feature: Feature): string {
  switch (feature) {
    case "address":
    case "country":
    case "agent":
      return login[feature];
    case "asn":
      return String(login.asn);
    default:
      return login.facts[feature] ?? "?";
  }
}
