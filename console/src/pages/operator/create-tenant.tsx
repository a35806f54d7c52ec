import type { CreatedTenant } from "@edge-idp/sdk";
import { useId, useState } from "react";
import { Field } from "../../parts/field.tsx";
import { FormDialog } from "../../parts/form-dialog.tsx";
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
  const create = () =>
    idp.tenants.create({ name, mode, jurisdiction: isInEu ? "eu" : null, shard: Number(shard) });
  return (
    <FormDialog
      title={words.createTitle}
      action={words.create}
      act={create}
      onDone={onCreated}
      onClose={onClose}
    >
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
    </FormDialog>
  );
}
