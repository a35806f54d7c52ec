/** The compared models, in the order of the tables. */
import type { Model } from "../login.ts";
import { createExtend } from "./extend.ts";
import { createFreeman } from "./freeman.ts";
import { createSentinelModels } from "./sentinel.ts";
import { createRandomModel, createSimple } from "./simple.ts";

export const modelNames = ["random", "SIMPLE", "EXTEND", "Freeman sum", "Sentinel"] as const;

export function createModels(seed: number): Model[] {
  return [
    createRandomModel(seed),
    createSimple(),
    createExtend(),
    createFreeman(),
    ...createSentinelModels(),
  ];
}
