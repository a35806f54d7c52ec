import type { AuditEvent } from "@edge-idp/sdk";
import { useState } from "react";
import { Failure } from "../../parts/states.tsx";
import { useIdp } from "../../session/session-context.ts";
import { texts } from "../../texts/en.ts";
import { saveFile } from "./save-file.ts";

/** Saves what proves the event to somebody who has no access to the service. */
export function BundleButton({ event }: { readonly event: AuditEvent }) {
  const idp = useIdp();
  const [error, setError] = useState<unknown>();
  const save = async () => {
    setError(undefined);
    try {
      const bundle = await idp.audit.bundle(event.id, { leaf_index: event.leaf_index });
      const content = new Blob([JSON.stringify(bundle)], { type: "application/json" });
      saveFile(`event-${event.id}.json`, content);
    } catch (caught) {
      setError(caught);
    }
  };
  return (
    <div className="stack">
      <div>
        <button type="button" onClick={() => void save()}>
          {texts.trail.bundle}
        </button>
      </div>
      {error === undefined ? null : <Failure error={error} />}
    </div>
  );
}
