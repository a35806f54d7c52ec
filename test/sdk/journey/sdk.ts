/** The package under test: its source in Vitest, and the built one in Node and in a Worker. */
export type { EdgeIdp, IdpError } from "../../../packages/sdk/src/index.ts";
export type Sdk = typeof import("../../../packages/sdk/src/index.ts") &
  typeof import("../../../packages/sdk/src/audit/index.ts") &
  typeof import("../../../packages/sdk/src/tokens/index.ts") &
  typeof import("../../../packages/sdk/src/webhooks/index.ts");
