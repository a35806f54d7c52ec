export type { components } from "./generated/api.ts";
