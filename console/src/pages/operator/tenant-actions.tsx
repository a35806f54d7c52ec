import type { Tenant, TenantDeletion } from "@edge-idp/sdk";
import { type FormEvent, useState } from "react";
import { navigate } from "../../navigation/fragment-location.ts";
import { ActButton } from "../../parts/act-button.tsx";
import { Confirm, Dialog } from "../../parts/dialog.tsx";
import { Field } from "../../parts/field.tsx";
import { useNotify } from "../../parts/notice.tsx";
import { Failure } from "../../parts/states.tsx";
import { useIdp } from "../../session/session-context.ts";
import { texts } from "../../texts/en.ts";

const words = texts.operator.tenant;

interface TenantActionsProps {
  readonly tenant: Tenant;
  readonly onChanged: () => Promise<void>;
}

interface RenameProps extends TenantActionsProps {
  readonly onClose: () => void;
}

function Rename({ tenant, onChanged, onClose }: RenameProps) {
  const idp = useIdp();
  const notify = useNotify();
  const [name, setName] = useState(tenant.name);
  const [error, setError] = useState<unknown>();
  const submit = async (event: FormEvent) => {
    event.preventDefault();
    setError(undefined);
    try {
      await idp.tenants.change(tenant.id, { name });
      await onChanged();
      notify(words.renamed);
      onClose();
    } catch (caught) {
      setError(caught);
    }
  };
  return (
    <Dialog title={words.rename} onClose={onClose}>
      <form onSubmit={(event) => void submit(event)}>
        <Field
          label={texts.operator.tenants.name}
          value={name}
          onValue={setName}
          required
          maxLength={100}
        />
        {error === undefined ? null : <Failure error={error} />}
        <div className="dialog-actions">
          <button type="button" onClick={onClose}>
            {texts.common.cancel}
          </button>
          <button type="submit" className="primary">
            {texts.common.save}
          </button>
        </div>
      </form>
    </Dialog>
  );
}

export function TenantActions({ tenant, onChanged }: TenantActionsProps) {
  const { id, name, status } = tenant;
  const idp = useIdp();
  const notify = useNotify();
  const [asked, setAsked] = useState<"rename" | "suspend" | "delete">();
  const [deletion, setDeletion] = useState<TenantDeletion>();
  const close = () => setAsked(undefined);
  /** Asked again, the service tells the progress. */
  const remove = async () => {
    const progress = await idp.tenants.delete(id, name);
    setDeletion(progress);
    if (progress !== undefined) return await onChanged();
    notify(words.deleted);
    navigate("/tenants");
  };
  return (
    <>
      {deletion === undefined ? null : (
        <p className="callout" role="status">
          {words.deletionProgress(deletion.done, deletion.total, deletion.state)}{" "}
          <ActButton className="small" act={remove}>
            {texts.common.tryAgain}
          </ActButton>
        </p>
      )}
      <button type="button" onClick={() => setAsked("rename")}>
        {words.rename}
      </button>
      {status === "active" ? (
        <button type="button" onClick={() => setAsked("suspend")}>
          {words.suspend}
        </button>
      ) : null}
      {status === "suspended" ? (
        <ActButton act={() => idp.tenants.reactivate(id).then(onChanged)} done={words.reactivated}>
          {words.reactivate}
        </ActButton>
      ) : null}
      {status === "active" ? null : (
        <button type="button" className="danger" onClick={() => setAsked("delete")}>
          {words.delete}
        </button>
      )}
      {asked === "rename" ? <Rename {...{ tenant, onChanged }} onClose={close} /> : null}
      {asked === "suspend" ? (
        <Confirm
          title={words.suspendTitle}
          hint={words.suspendHint}
          action={words.suspend}
          typed={name}
          act={async () => {
            await idp.tenants.suspend(id);
            await onChanged();
            notify(words.suspended);
          }}
          onClose={close}
        />
      ) : null}
      {asked === "delete" ? (
        <Confirm
          title={words.deleteTitle}
          hint={words.deleteHint}
          action={words.delete}
          typed={name}
          act={remove}
          onClose={close}
        />
      ) : null}
    </>
  );
}
