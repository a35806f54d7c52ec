/** Shows models a visit as the service would see it. */
import type { AgentFacts } from "../../src/sentinel/agent.ts";
import { CrowdWatch } from "./crowd.ts";
import type { Visit } from "./generator/logins.ts";
import { poolTextOf, prefixTextOf, textOf } from "./generator/networks.ts";
import type { Login } from "./login.ts";

/** The facts of an agent are cached, because agents repeat. */
export class Lens {
  readonly #factsOf: (agent: string) => AgentFacts;
  readonly #facts = new Map<string, AgentFacts>();
  readonly crowds = new CrowdWatch();

  constructor(factsOf: (agent: string) => AgentFacts) {
    this.#factsOf = factsOf;
  }

  loginOf(visit: Visit, crowd = this.crowds.crowdOf(visit)): Login {
    const { at, user, provider, address, agent } = visit;
    const facts = this.#facts.get(agent) ?? this.#factsOf(agent);
    this.#facts.set(agent, facts);
    return {
      at,
      user,
      country: provider.country,
      asn: provider.asn,
      pool: poolTextOf(address),
      prefix: prefixTextOf(address),
      address: textOf(address),
      agent,
      facts,
      crowd,
    };
  }
}
