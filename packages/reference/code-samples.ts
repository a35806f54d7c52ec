/** The samples with the SDK, which the page shows beside the samples for curl. */

interface Operation {
  readonly operationId: string;
  readonly tags: readonly string[];
}

/** What this file reads of an OpenAPI document. */
export interface ReferenceDocument {
  readonly paths: Readonly<Record<string, Readonly<Record<string, Operation>>>>;
}

/** The operations that serve the document itself: the SDK has no method for them. */
const documentationTag = "Documentation";

/**
 * Adds the sample of each operation as `x-codeSamples`.
 *
 * @param samples the text of each sample by the name of its operation
 * @throws Error if an operation has no sample, or a sample no operation
 */
export function addCodeSamples(
  document: ReferenceDocument,
  samples: ReadonlyMap<string, string>,
): ReferenceDocument {
  const unused = new Set(samples.keys());
  const addTo = (operation: Operation) => {
    const { operationId: name, tags } = operation;
    unused.delete(name);
    if (tags.includes(documentationTag)) return operation;
    const source = samples.get(name);
    if (source === undefined) {
      throw new Error(`${name} has no sample: write packages/reference/samples/${name}.ts`);
    }
    return {
      ...operation,
      "x-codeSamples": [{ lang: "typescript", label: "TypeScript SDK", source: source.trimEnd() }],
    };
  };
  const paths = mapValues(document.paths, (item) => mapValues(item, addTo));
  if (unused.size > 0) {
    throw new Error(`packages/reference/samples has no operation for: ${[...unused].join(", ")}`);
  }
  return { ...document, paths };
}

function mapValues<From, To>(
  record: Readonly<Record<string, From>>,
  change: (value: From) => To,
): Record<string, To> {
  return Object.fromEntries(Object.entries(record).map(([key, value]) => [key, change(value)]));
}
