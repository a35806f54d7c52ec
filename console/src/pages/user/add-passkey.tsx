import { createPasskey } from "@edge-idp/sdk/browser";
import { useState } from "react";
import { Field } from "../../parts/field.tsx";
import { FormDialog } from "../../parts/form-dialog.tsx";
import { useNotify } from "../../parts/notice.tsx";
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
  const create = async () => {
    const options = await idp.passkeys.createRegistrationOptions(externalId, {
      user_name: userName,
    });
    const credential = await createPasskey(options.public_key);
    const { challenge } = options.public_key;
    const named = name === "" ? {} : { name };
    await idp.passkeys.register(externalId, { challenge, credential, ...named });
    await refresh();
    notify(words.created);
  };
  return (
    <FormDialog title={words.add} action={words.create} act={create} onClose={onClose}>
      <p className="hint">{words.addHint}</p>
      <Field label={words.userName} value={userName} onValue={setUserName} required />
      <Field label={words.name} value={name} onValue={setName} />
    </FormDialog>
  );
}
