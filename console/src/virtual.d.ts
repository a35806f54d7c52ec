/// <reference types="vite/client" />

/** Modules that write-console.ts makes from the OpenAPI document. */
declare module "virtual:settings-schema" {
  const schema: import("../described-api.ts").SchemaNode;
  export default schema;
}

declare module "virtual:audit-actions" {
  const actions: readonly NonNullable<import("@edge-idp/sdk").AuditEventFilters["action"]>[];
  export default actions;
}
