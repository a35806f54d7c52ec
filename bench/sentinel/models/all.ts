/** The models that are compared, in the order of the tables. */
import type { Model } from "../login.ts";
import { extend } from "./extend.ts";
import { freeman } from "./freeman.ts";
import { sentinelModels } from "./sentinel.ts";
import { randomModel, simple } from "./simple.ts";

export const modelNames = ["random", "SIMPLE", "EXTEND", "Freeman sum", "Sentinel"] as const;

export function allModels(seed: number): Model[] {
  return [randomModel(seed), simple(), extend(), freeman(), ...sentinelModels()];
}
