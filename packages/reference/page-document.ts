/** The document that the page shows: the OpenAPI document with what only its readers need. */

interface Parameter {
  readonly required?: boolean;
  readonly example?: unknown;
}

interface Operation {
  readonly operationId: string;
  readonly tags: readonly string[];
  readonly parameters?: readonly Parameter[];
  readonly "x-codeSamples"?: readonly CodeSample[];
}

interface CodeSample {
  readonly lang: string;
  readonly label: string;
  readonly source: string;
}

/** What this file reads of an OpenAPI document. */
export interface OpenApiDocument {
  readonly info: object;
  readonly paths: Readonly<Record<string, Readonly<Record<string, Operation>>>>;
}

/** The operations that serve the document itself: the SDK has no method for them. */
const documentationTag = "Documentation";

/** What the page says about the SDK beside the introduction. */
const sdkInstallation = [
  {
    lang: "TypeScript",
    description: "Each operation has a sample with the SDK and one for curl.",
    source: "npm install @edge-idp/sdk",
  },
];

/**
 * Returns the document with a sample for each operation, and with optional parameters switched off.
 *
 * @param samples the code of each sample by the name of its operation
 * @throws Error if an operation has no sample, or a sample no operation
 */
export function createPageDocument(
  document: OpenApiDocument,
  samples: ReadonlyMap<string, string>,
): OpenApiDocument {
  const unused = new Set(samples.keys());
  const paths = mapValues(document.paths, (item) =>
    mapValues(item, (operation) => {
      const changed = switchOffOptionalParameters(operation);
      if (operation.tags.includes(documentationTag)) return changed;
      unused.delete(operation.operationId);
      return addCodeSample(changed, samples.get(operation.operationId));
    }),
  );
  if (unused.size > 0) {
    throw new Error(`packages/reference/samples has no operation for: ${[...unused].join(", ")}`);
  }
  const info = { ...document.info, "x-scalar-sdk-installation": sdkInstallation };
  return { ...document, info, paths };
}

function addCodeSample(operation: Operation, code: string | undefined): Operation {
  if (code === undefined) {
    const { operationId } = operation;
    throw new Error(
      `${operationId} has no sample: write packages/reference/samples/${operationId}.ts`,
    );
  }
  const sample = { lang: "typescript", label: "TypeScript SDK", source: code.trimEnd() };
  return { ...operation, "x-codeSamples": [sample] };
}

/**
 * Scalar puts the example of each parameter into the sample for curl and into the request that a reader sends. A
 * request with every filter finds nothing, and each with the same Idempotency-Key returns the first response.
 */
function switchOffOptionalParameters(operation: Operation): Operation {
  if (operation.parameters === undefined) return operation;
  const parameters = operation.parameters.map((parameter) => {
    if (parameter.required) return parameter;
    const { example, ...rest } = parameter;
    return { ...rest, examples: { default: { value: example, "x-disabled": true } } };
  });
  return { ...operation, parameters };
}

function mapValues<From, To>(
  record: Readonly<Record<string, From>>,
  change: (value: From) => To,
): Record<string, To> {
  return Object.fromEntries(Object.entries(record).map(([key, value]) => [key, change(value)]));
}
