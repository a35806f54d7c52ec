import type { IssuedApiToken, NewToken, Permission } from "@edge-idp/sdk";
import { useState } from "react";
import { Field } from "../../parts/field.tsx";
import { FormDialog } from "../../parts/form-dialog.tsx";
import { texts } from "../../texts/en.ts";
import { permissions } from "./permissions.ts";

const words = texts.tokens;

interface CreateTokenProps {
  readonly create: (token: NewToken) => Promise<IssuedApiToken>;
  readonly onSecret: (secret: string) => Promise<void>;
  readonly onClose: () => void;
}

export function CreateToken({ create, onSecret, onClose }: CreateTokenProps) {
  const [name, setName] = useState("");
  const [expires, setExpires] = useState("");
  const [chosen, setChosen] = useState<readonly Permission[]>([]);
  const [isMissing, setMissing] = useState(false);
  const toggle = (permission: Permission, isChosen: boolean) => {
    const others = chosen.filter((one) => one !== permission);
    setChosen(isChosen ? [...others, permission] : others);
  };
  const check = () => {
    setMissing(chosen.length === 0);
    return chosen.length > 0;
  };
  const issue = () => {
    const expiry = expires === "" ? {} : { expires_at: new Date(expires).toISOString() };
    return create({ name, permissions: [...chosen], ...expiry });
  };
  return (
    <FormDialog
      title={words.createTitle}
      action={words.create}
      check={check}
      act={issue}
      onDone={({ secret }) => onSecret(secret)}
      onClose={onClose}
    >
      <Field label={words.name} value={name} onValue={setName} required maxLength={100} />
      <fieldset className="checks">
        <legend>{words.permissions}</legend>
        {permissions.map((permission) => (
          <label key={permission}>
            <input
              type="checkbox"
              checked={chosen.includes(permission)}
              onChange={(event) => toggle(permission, event.target.checked)}
            />
            <code>{permission}</code>
          </label>
        ))}
      </fieldset>
      {isMissing ? (
        <p className="field-error" role="alert">
          {words.choosePermission}
        </p>
      ) : null}
      <Field
        label={words.expiresOptional}
        type="datetime-local"
        value={expires}
        onValue={setExpires}
      />
    </FormDialog>
  );
}
