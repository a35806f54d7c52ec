import type { CreatedTenant } from "@edge-idp/sdk";
import { type FormEvent, useId, useState } from "react";
import { Dialog } from "../../parts/dialog.tsx";
import { Field } from "../../parts/field.tsx";
import { Failure } from "../../parts/states.tsx";
import { useIdp } from "../../session/session-context.ts";
import { texts } from "../../texts/en.ts";

const words = texts.operator.tenants;

interface CreateTenantProps {
  readonly onCreated: (created: CreatedTenant) => Promise<void>;
  readonly onClose: () => void;
}

export function CreateTenant({ onCreated, onClose }: CreateTenantProps) {
  const idp = useIdp();
  const ids = [useId(), useId()] as const;
  const [name, setName] = useState("");
  const [mode, setMode] = useState<"live" | "test">("live");
  const [isInEu, setInEu] = useState(false);
  const [shard, setShard] = useState("0");
  const [error, setError] = useState<unknown>();
  const submit = async (event: FormEvent) => {
    event.preventDefault();
    setError(undefined);
    try {
      const jurisdiction = isInEu ? "eu" : null;
      const created = await idp.tenants.create({ name, mode, jurisdiction, shard: Number(shard) });
      onClose();
      await onCreated(created);
    } catch (caught) {
      setError(caught);
    }
  };
  return (
    <Dialog title={words.createTitle} onClose={onClose}>
      <form onSubmit={(event) => void submit(event)}>
        <Field label={words.name} value={name} onValue={setName} required maxLength={100} />
        <div className="field">
          <label htmlFor={ids[0]}>{words.mode}</label>
          <select
            id={ids[0]}
            value={mode}
            onChange={(event) => setMode(event.target.value === "test" ? "test" : "live")}
          >
            <option value="live">{words.modes.live}</option>
            <option value="test">{words.modes.test}</option>
          </select>
        </div>
        <div className="field">
          <label htmlFor={ids[1]}>{words.jurisdiction}</label>
          <select
            id={ids[1]}
            value={isInEu ? "eu" : ""}
            onChange={(event) => setInEu(event.target.value === "eu")}
          >
            <option value="">{words.anywhere}</option>
            <option value="eu">eu</option>
          </select>
        </div>
        <Field
          label={words.shard}
          hint={words.shardHint}
          type="number"
          min={0}
          value={shard}
          onValue={setShard}
        />
        {error === undefined ? null : <Failure error={error} />}
        <div className="dialog-actions">
          <button type="button" onClick={onClose}>
            {texts.common.cancel}
          </button>
          <button type="submit" className="primary">
            {words.create}
          </button>
        </div>
      </form>
    </Dialog>
  );
}
