import type { Tenant, TenantDeletion } from "@edge-idp/sdk";
import { useState } from "react";
import { navigate } from "../../navigation/fragment-location.ts";
import { ActButton } from "../../parts/act-button.tsx";
import { Confirm } from "../../parts/confirm.tsx";
import { Field } from "../../parts/field.tsx";
import { FormDialog } from "../../parts/form-dialog.tsx";
import { useNotify } from "../../parts/notice.tsx";
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
  const rename = async () => {
    await idp.tenants.change(tenant.id, { name });
    await onChanged();
    notify(words.renamed);
  };
  return (
    <FormDialog title={words.rename} action={texts.common.save} act={rename} onClose={onClose}>
      <Field
        label={texts.operator.tenants.name}
        value={name}
        onValue={setName}
        required
        maxLength={100}
      />
    </FormDialog>
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
