/** Takes out of the OpenAPI document what the console shows of it. */

/** A part of a JSON schema, as far as the settings use it. */
export interface SchemaNode {
  readonly type?: string | readonly string[];
  readonly $ref?: string;
  readonly anyOf?: readonly SchemaNode[];
  readonly properties?: Readonly<Record<string, SchemaNode>>;
  readonly items?: SchemaNode;
  readonly enum?: readonly string[];
  readonly minimum?: number;
  readonly maximum?: number;
  readonly minLength?: number;
  readonly maxLength?: number;
  readonly maxItems?: number;
  readonly pattern?: string;
  readonly description?: string;
  readonly examples?: readonly unknown[];
  readonly deprecated?: boolean;
}

interface Parameter {
  readonly name: string;
  readonly schema: SchemaNode;
}

export interface DescribedApi {
  readonly paths: Readonly<
    Record<string, { readonly get?: { readonly parameters?: readonly Parameter[] } }>
  >;
  readonly components: { readonly schemas: Readonly<Record<string, SchemaNode>> };
}

const referencePrefix = "#/components/schemas/";

function resolve(node: SchemaNode, schemas: Readonly<Record<string, SchemaNode>>): SchemaNode {
  if (node.$ref !== undefined) {
    const target = schemas[node.$ref.slice(referencePrefix.length)];
    if (target === undefined) throw new Error(`The document has no ${node.$ref}.`);
    return resolve(target, schemas);
  }
  const { properties, items, anyOf, ...rest } = node;
  const resolveAll = (nodes: Readonly<Record<string, SchemaNode>>) =>
    Object.fromEntries(Object.entries(nodes).map(([name, one]) => [name, resolve(one, schemas)]));
  return {
    ...rest,
    ...(properties === undefined ? {} : { properties: resolveAll(properties) }),
    ...(items === undefined ? {} : { items: resolve(items, schemas) }),
    ...(anyOf === undefined ? {} : { anyOf: anyOf.map((one) => resolve(one, schemas)) }),
  };
}

/**
 * The schema of the settings, without references.
 * @throws Error if the document does not describe the settings
 */
export function createSettingsSchema({ components: { schemas } }: DescribedApi): SchemaNode {
  const settings = schemas.ChangeSettingsInput?.properties?.settings;
  if (settings === undefined) throw new Error("The document does not describe the settings.");
  return resolve(settings, schemas);
}

/** The actions by which the trail can be filtered. @throws Error if the document does not list them */
export function listAuditActions({ paths }: DescribedApi): readonly string[] {
  const parameters = paths["/v1/audit/events"]?.get?.parameters ?? [];
  const actions = parameters.find(({ name }) => name === "action")?.schema.enum;
  if (actions === undefined) throw new Error("The document does not list the actions.");
  return actions;
}
