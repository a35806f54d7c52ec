/** Runs one year in its own thread. */
import { parentPort, workerData } from "node:worker_threads";
import { z } from "zod";
import { agentFactsOf } from "../../src/sentinel/agent.ts";
import { asDefined, withHistoryOnly } from "./generator/rates.ts";
import { loadRealAgents } from "./generator/real-agents.ts";
import { loadRealNetworks } from "./generator/real-networks.ts";
import { createSyntheticNetworks } from "./generator/synthetic-networks.ts";
import { createModels } from "./models/all.ts";
import { runYear } from "./year.ts";

const orderSchema = z.object({
  seed: z.int(),
  users: z.int(),
  reading: z.enum([asDefined.name, withHistoryOnly.name]),
  networks: z.enum(["real", "synthetic"]),
});
export type Order = z.infer<typeof orderSchema>;

const { seed, users, reading, networks } = orderSchema.parse(workerData);
parentPort?.postMessage(
  runYear({
    seed,
    users,
    reading: reading === asDefined.name ? asDefined : withHistoryOnly,
    networks: networks === "real" ? loadRealNetworks() : createSyntheticNetworks(),
    agents: loadRealAgents(),
    factsOf: agentFactsOf,
    models: createModels(seed),
  }),
);
