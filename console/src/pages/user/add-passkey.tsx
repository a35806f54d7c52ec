import { createPasskey } from "@edge-idp/sdk/browser";
import { type FormEvent, useState } from "react";
import { Dialog } from "../../parts/dialog.tsx";
import { Field } from "../../parts/field.tsx";
import { useNotify } from "../../parts/notice.tsx";
import { Failure } from "../../parts/states.tsx";
import { useIdp } from "../../session/session-context.ts";
import { texts } from "../../texts/en.ts";
import { useRefreshUser } from "./user-query.ts";

const words = texts.user.passkeys;

interface AddPasskeyProps {
  readonly externalId: string;
  readonly onClose: () => void;
}

export function AddPasskey({ externalId, onClose }: AddPasskeyProps) {
  const idp = useIdp();
  const notify = useNotify();
  const refresh = useRefreshUser(externalId);
  const [userName, setUserName] = useState("");
  const [name, setName] = useState("");
  const [error, setError] = useState<unknown>();
  const create = async (event: FormEvent) => {
    event.preventDefault();
    setError(undefined);
    try {
      const options = await idp.passkeys.createRegistrationOptions(externalId, {
        user_name: userName,
      });
      const credential = await createPasskey(options.public_key);
      const { challenge } = options.public_key;
      const named = name === "" ? {} : { name };
      await idp.passkeys.register(externalId, { challenge, credential, ...named });
      await refresh();
      notify(words.created);
      onClose();
    } catch (caught) {
      setError(caught);
    }
  };
  return (
    <Dialog title={words.add} onClose={onClose}>
      <form onSubmit={(event) => void create(event)}>
        <p className="hint">{words.addHint}</p>
        <Field label={words.userName} value={userName} onValue={setUserName} required />
        <Field label={words.name} value={name} onValue={setName} />
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
