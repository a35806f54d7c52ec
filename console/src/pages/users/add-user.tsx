import { type FormEvent, useState } from "react";
import { navigate, placeOf } from "../../navigation/fragment-location.ts";
import { Dialog } from "../../parts/dialog.tsx";
import { Field } from "../../parts/field.tsx";
import { useNotify } from "../../parts/notice.tsx";
import { Failure } from "../../parts/states.tsx";
import { useIdp } from "../../session/session-context.ts";
import { texts } from "../../texts/en.ts";

export function AddUser({ onClose }: { readonly onClose: () => void }) {
  const idp = useIdp();
  const notify = useNotify();
  const [id, setId] = useState("");
  const [error, setError] = useState<unknown>();
  const add = async (event: FormEvent) => {
    event.preventDefault();
    setError(undefined);
    try {
      await idp.users.provision(id);
      notify(texts.users.added);
      onClose();
      navigate(placeOf("/user", { id }));
    } catch (caught) {
      setError(caught);
    }
  };
  return (
    <Dialog title={texts.users.addTitle} onClose={onClose}>
      <form onSubmit={(event) => void add(event)}>
        <Field
          label={texts.common.externalId}
          hint={texts.users.addHint}
          value={id}
          onValue={setId}
          required
        />
        {error === undefined ? null : <Failure error={error} />}
        <div className="dialog-actions">
          <button type="button" onClick={onClose}>
            {texts.common.cancel}
          </button>
          <button type="submit" className="primary">
            {texts.users.add}
          </button>
        </div>
      </form>
    </Dialog>
  );
}
