/** A login as models see it, and what a model is. */
import type { AgentFacts } from "../../src/sentinel/agent.ts";

/** Identities tried from the address and from its /24 in the ten minutes before, this one included. */
export interface Crowd {
  readonly fromAddress: number;
  readonly fromPrefix: number;
}

export interface Login {
  /** Unix ms. */
  readonly at: number;
  readonly user: number;
  readonly country: string;
  readonly asn: number;
  /** The /24. */
  readonly prefix: string;
  readonly address: string;
  readonly agent: string;
  readonly facts: AgentFacts;
  readonly crowd: Crowd;
}

/** Sees one year of one seed in the order of time. */
export interface Model {
  readonly name: string;
  /** A confirmed login of the user: may be learned from. */
  observe(login: Login): void;
  /** How suspicious it is, by what was observed before; only the order matters. */
  score(login: Login): number;
  /** Whether the model would challenge and deny it as it is set up, where it has such a set-up. */
  readonly thresholds?: { readonly challenge: number; readonly deny: number };
}

/** The features of a login, each from fine to coarse. */
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
