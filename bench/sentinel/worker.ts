/** Runs one year in its own thread. */
import { parentPort, workerData } from "node:worker_threads";
import { z } from "zod";
import { agentFactsOf } from "../../src/sentinel/agent.ts";
import { asDefined, nearLocality, publishedLocality, withHistoryOnly } from "./generator/rates.ts";
import { loadRealAgents } from "./generator/real-agents.ts";
import { loadRealNetworks } from "./generator/real-networks.ts";
import { createSyntheticNetworks } from "./generator/synthetic-networks.ts";
import { createModels } from "./models/all.ts";
import { runYear } from "./year.ts";

const orderSchema = z.object({
  seed: z.int(),
  users: z.int(),
  reading: z.enum([asDefined.name, withHistoryOnly.name]),
  locality: z.enum([nearLocality.name, publishedLocality.name]),
  networks: z.enum(["real", "synthetic"]),
  withFeatures: z.boolean(),
});
export type Order = z.infer<typeof orderSchema>;

const { seed, users, reading, locality, networks, withFeatures } = orderSchema.parse(workerData);
const models = createModels(seed);
/** The gain of each part is measured on the matched data alone. */
const isMain = reading === asDefined.name && locality === nearLocality.name;
parentPort?.postMessage(
  runYear({
    seed,
    users,
    reading: reading === asDefined.name ? asDefined : withHistoryOnly,
    locality: locality === nearLocality.name ? nearLocality : publishedLocality,
    networks: networks === "real" ? loadRealNetworks() : createSyntheticNetworks(),
    agents: loadRealAgents(),
    factsOf: agentFactsOf,
    models: models.compared,
    variants: isMain ? models.variants : [],
    withFeatures,
  }),
);
