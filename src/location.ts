/**
 * Where a tenant's Durable Objects are. The jurisdiction is fixed with the tenant: an object in a
 * jurisdiction is another one than that of the same name elsewhere. The hint only speeds things up, and
 * counts for objects that are made from then on.
 *
 * Names and ranges: https://developers.cloudflare.com/durable-objects/reference/data-location/
 */

/** Those a tenant may have, of those the platform has. */
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
  /** Null: none, the platform puts objects near who asks for them first. */
  readonly jurisdiction: Jurisdiction | null;
  readonly hint: LocationHint | null;
}

/** Of what belongs to no tenant, and of what is asked before the tenant is known. */
export const noLocation: Location = { jurisdiction: null, hint: null };

/** Whether a hint makes sense for who is bound to the jurisdiction. */
export function isHintWithin(
  hint: LocationHint | null,
  jurisdiction: Jurisdiction | null,
): boolean {
  return hint === null || jurisdiction === null || hintsWithin[jurisdiction].includes(hint);
}

/**
 * The one way to an object. A new stub each time: one that has failed may stay broken.
 * @throws where the runtime cannot do the place's jurisdiction: never is the object put elsewhere
 */
export function stubFor<T extends Rpc.DurableObjectBranded>(
  namespace: DurableObjectNamespace<T>,
  name: string,
  { jurisdiction, hint }: Location,
): DurableObjectStub<T> {
  const there = jurisdiction === null ? namespace : namespace.jurisdiction(jurisdiction);
  const id = there.idFromName(name);
  return hint === null ? there.get(id) : there.get(id, { locationHint: hint });
}

/**
 * Whether this runtime keeps objects in the jurisdiction. A local one may throw, or give objects that
 * are the same as without.
 */
export function supportsJurisdiction<T extends Rpc.DurableObjectBranded>(
  namespace: DurableObjectNamespace<T>,
  jurisdiction: Jurisdiction,
): boolean {
  const name = "capability";
  try {
    const there = namespace.jurisdiction(jurisdiction).idFromName(name);
    return !there.equals(namespace.idFromName(name));
  } catch {
    return false;
  }
}
