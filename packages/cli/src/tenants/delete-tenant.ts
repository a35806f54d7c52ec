/** Deletes a tenant, which takes many requests. */
import type { EdgeIdp } from "@edge-idp/sdk";
import { longRequest } from "../long-request.ts";
import { repeatUntilDone } from "../temporary.ts";

export interface Deletion {
  readonly idp: EdgeIdp;
  readonly id: string;
  /** The confirmation. */
  readonly name: string;
  /** Gets a line whenever the progress has changed. */
  readonly print: (line: string) => void;
  /** Waits before the next request; the service goes on by itself meanwhile. */
  readonly pause: () => Promise<void>;
}

/** @throws IdpError if the deletion does not begin */
export async function deleteTenant({ idp, id, name, print, pause }: Deletion): Promise<void> {
  const request = () => idp.tenants.delete(id, name, longRequest);
  let deletion = await request();
  let shown = "";
  while (deletion !== undefined) {
    const { state, done, total } = deletion;
    const line = `${state}: ${done} of ${total} users erased`;
    if (line !== shown) print(line);
    shown = line;
    await pause();
    deletion = await repeatUntilDone(request, { pause });
  }
}
