/** Every operation of the service, from its own OpenAPI document. */
import { exports } from "cloudflare:workers";

interface Described {
  readonly operationId: string;
  readonly description: string;
  readonly security: readonly unknown[];
  readonly requestBody?: object;
}

interface Document {
  readonly paths: Record<string, Record<string, Described>>;
}

export interface Operation {
  readonly name: string;
  readonly method: string;
  /** The path, with parameters as `{name}`. */
  readonly template: string;
  readonly isPublic: boolean;
  readonly isForOperator: boolean;
  readonly takesBody: boolean;
}

const response = await exports.default.fetch(new Request("https://idp.test/openapi.json"));
const { paths } = await response.json<Document>();

export const operations: readonly Operation[] = Object.entries(paths).flatMap(
  ([template, methods]) =>
    Object.entries(methods).map(
      ([method, { operationId, description, security, requestBody }]) => ({
        name: operationId,
        method: method.toUpperCase(),
        template,
        isPublic: security.length === 0,
        isForOperator: description.includes("\n\nPermission: `operator`."),
        takesBody: requestBody !== undefined,
      }),
    ),
);

export const protectedOperations = operations.filter(({ isPublic }) => !isPublic);
