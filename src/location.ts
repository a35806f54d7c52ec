/**
 * Where a tenant's Durable Objects are. The jurisdiction never changes: objects of one name in different
 * jurisdictions are different objects. The hint reduces latency, and applies to objects created later.
 *
 * Names and values: https://developers.cloudflare.com/durable-objects/reference/data-location/
 */

/** The jurisdictions that a tenant may have; the platform has more. */
export const jurisdictions = ["eu"] as const satisfies readonly DurableObjectJurisdiction[];
export type Jurisdiction = (typeof jurisdictions)[number];

export const locationHints = [
  "wnam",
  "enam",
  "sam",
  "weur",
  "eeur",
  "apac",
  "apac-ne",
  "apac-se",
  "oc",
  "afr",
  "me",
] as const satisfies readonly DurableObjectLocationHint[];
export type LocationHint = (typeof locationHints)[number];

const hintsWithin: Readonly<Record<Jurisdiction, readonly LocationHint[]>> = {
  eu: ["weur", "eeur"],
};

export interface Location {
  /** Null: the object may be anywhere, and the platform creates it near its first caller. */
  readonly jurisdiction: Jurisdiction | null;
  readonly hint: LocationHint | null;
}

/** For objects of no tenant, and for objects that are called before the tenant is known. */
export const noLocation: Location = { jurisdiction: null, hint: null };

/** Whether the hint is a region within the jurisdiction. */
export function isHintWithin(
  hint: LocationHint | null,
  jurisdiction: Jurisdiction | null,
): boolean {
  return hint === null || jurisdiction === null || hintsWithin[jurisdiction].includes(hint);
}

/**
 * Creates a stub for every call, because a stub that has failed may stay broken.
 * @throws if the runtime does not support the jurisdiction; the object is never created outside it
 */
export function stubFor<T extends Rpc.DurableObjectBranded>(
  namespace: DurableObjectNamespace<T>,
  name: string,
  { jurisdiction, hint }: Location,
): DurableObjectStub<T> {
  const located = jurisdiction === null ? namespace : namespace.jurisdiction(jurisdiction);
  const id = located.idFromName(name);
  return hint === null ? located.get(id) : located.get(id, { locationHint: hint });
}

/**
 * Whether this runtime keeps objects in the jurisdiction. A local runtime may throw, or return the same
 * object as without a jurisdiction.
 */
export function supportsJurisdiction<T extends Rpc.DurableObjectBranded>(
  namespace: DurableObjectNamespace<T>,
  jurisdiction: Jurisdiction,
): boolean {
  const name = "capability";
  try {
    const located = namespace.jurisdiction(jurisdiction).idFromName(name);
    return !located.equals(namespace.idFromName(name));
  } catch {
    return false;
  }
}
