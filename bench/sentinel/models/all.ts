/** The compared models, in the order of the tables. */
import type { Model } from "../login.ts";
import { createExtend } from "./extend.ts";
import { createFreeman } from "./freeman.ts";
import { createSentinelModels } from "./sentinel.ts";
import { createRandomModel, createSimple } from "./simple.ts";

export const modelNames = ["random", "SIMPLE", "EXTEND", "Freeman sum", "Sentinel"] as const;

export interface Models {
  readonly compared: readonly Model[];
  /** Sentinel without a part. They learn nothing themselves. */
  readonly variants: readonly Model[];
}

export function createModels(seed: number): Models {
  const [sentinel, ...variants] = createSentinelModels();
  const others = [createRandomModel(seed), createSimple(), createExtend(), createFreeman()];
  return { compared: sentinel === undefined ? others : [...others, sentinel], variants };
}
