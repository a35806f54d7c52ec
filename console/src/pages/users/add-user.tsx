import { useState } from "react";
import { navigate, placeOf } from "../../navigation/fragment-location.ts";
import { Field } from "../../parts/field.tsx";
import { FormDialog } from "../../parts/form-dialog.tsx";
import { useNotify } from "../../parts/notice.tsx";
import { useIdp } from "../../session/session-context.ts";
import { texts } from "../../texts/en.ts";

export function AddUser({ onClose }: { readonly onClose: () => void }) {
  const idp = useIdp();
  const notify = useNotify();
  const [id, setId] = useState("");
  const showUser = () => {
    notify(texts.users.added);
    navigate(placeOf("/user", { id }));
  };
  return (
    <FormDialog
      title={texts.users.addTitle}
      action={texts.users.add}
      act={() => idp.users.provision(id)}
      onDone={showUser}
      onClose={onClose}
    >
      <Field
        label={texts.common.externalId}
        hint={texts.users.addHint}
        value={id}
        onValue={setId}
        required
      />
    </FormDialog>
  );
}
