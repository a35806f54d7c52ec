import type { IssuedApiToken, NewToken, Permission } from "@edge-idp/sdk";
import { type FormEvent, useState } from "react";
import { Dialog } from "../../parts/dialog.tsx";
import { Field } from "../../parts/field.tsx";
import { Failure } from "../../parts/states.tsx";
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
  const [error, setError] = useState<unknown>();
  const [isMissing, setMissing] = useState(false);
  const toggle = (permission: Permission, isChosen: boolean) => {
    const others = chosen.filter((one) => one !== permission);
    setChosen(isChosen ? [...others, permission] : others);
  };
  const submit = async (event: FormEvent) => {
    event.preventDefault();
    setError(undefined);
    setMissing(chosen.length === 0);
    if (chosen.length === 0) return;
    const expiry = expires === "" ? {} : { expires_at: new Date(expires).toISOString() };
    try {
      const { secret } = await create({ name, permissions: [...chosen], ...expiry });
      onClose();
      await onSecret(secret);
    } catch (caught) {
      setError(caught);
    }
  };
  return (
    <Dialog title={words.createTitle} onClose={onClose}>
      <form onSubmit={(event) => void submit(event)}>
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
