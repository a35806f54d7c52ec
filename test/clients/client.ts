/** What `npm run check:clients` needs to know about a generator and its journey. */

/** A program with its arguments. It runs in a copy of the client's folder. */
export type Command = readonly [string, ...string[]];

export interface Client {
  /** The name of the generator. */
  readonly name: string;
  /** The version of the document that the generator supports best. */
  readonly document: "openapi.json" | "openapi-3.0.json";
  /** The folder below test/clients with the journey and the pinned versions. */
  readonly folder: string;
  /** Programs that the machine must have. */
  readonly tools: readonly string[];
  /** Installs the generator and what the generated client uses. */
  readonly install: readonly Command[];
  /** Generates the client from `openapi.json`, which is in the folder, in the version above. */
  readonly generate: readonly Command[];
  /** Compiles the client with the journey, or checks its types. */
  readonly compile: readonly Command[];
  /** Makes the journey with the service that `IDP_URL` and `IDP_TOKEN` name. */
  readonly run: Command;
}
