/** Sets up an authenticator app: the secret as a QR code, and the first code of the app. */
import type { Profile } from "@edge-idp/sdk";
import { type FormEvent, useState } from "react";
import { Copy } from "../../parts/copy.tsx";
import { Dialog } from "../../parts/dialog.tsx";
import { Field } from "../../parts/field.tsx";
import { QrCode } from "../../parts/qr-code.tsx";
import { Failure } from "../../parts/states.tsx";
import { useIdp } from "../../session/session-context.ts";
import { texts } from "../../texts/en.ts";
import { CodeBox } from "./check-code.tsx";
import { useRefreshUser } from "./user-query.ts";

const words = texts.user.authenticators;

interface EnrolProps {
  readonly profile: Profile;
  /** Makes or replaces the primary app; otherwise it adds another one. */
  readonly isPrimary: boolean;
  readonly onClose: () => void;
}

/** What the service shows once. */
interface Setup {
  readonly new_otp_secret: string;
  readonly qrcode_payload: string;
  readonly isPending: boolean;
}

export function Enrol({ profile, isPrimary, onClose }: EnrolProps) {
  const id = profile.external_id;
  const idp = useIdp();
  const refresh = useRefreshUser(id);
  const [issuer, setIssuer] = useState("");
  const [account, setAccount] = useState("");
  const [name, setName] = useState("");
  const [setup, setSetup] = useState<Setup>();
  const [error, setError] = useState<unknown>();

  const createSecret = async (): Promise<Setup> => {
    const names = { issuer_name: issuer, account_name: account };
    if (isPrimary) {
      const made = await idp.otp.configure(id, names);
      return { ...made, isPending: !made.is_setup_complete };
    }
    const made = await idp.authenticators.add(id, { ...names, ...(name === "" ? {} : { name }) });
    return { ...made, isPending: made.status === "pending" };
  };
  const submit = async (event: FormEvent) => {
    event.preventDefault();
    setError(undefined);
    try {
      setSetup(await createSecret());
      await refresh();
    } catch (caught) {
      setError(caught);
    }
  };
  const title = !isPrimary
    ? words.add
    : profile.otp_status === "none" || setup !== undefined
      ? words.enrol
      : words.replace;
  return (
    <Dialog title={title} onClose={onClose} isSticky>
      {setup === undefined ? (
        <form onSubmit={(event) => void submit(event)}>
          {isPrimary && profile.otp_status !== "none" ? (
            <p className="callout callout-warning">{words.replaceWarning}</p>
          ) : null}
          <Field label={words.issuer} value={issuer} onValue={setIssuer} required />
          <Field
            label={words.account}
            hint={words.colon}
            value={account}
            onValue={setAccount}
            required
          />
          {isPrimary ? null : <Field label={words.name} value={name} onValue={setName} />}
          {error === undefined ? null : <Failure error={error} />}
          <div className="dialog-actions">
            <button type="button" onClick={onClose}>
              {texts.common.cancel}
            </button>
            <button type="submit" className="primary">
              {words.submit}
            </button>
          </div>
        </form>
      ) : (
        <div className="stack">
          <p>{words.scan}</p>
          <QrCode text={setup.qrcode_payload} label={words.qr} />
          <div>
            <p className="hint">{words.secret}</p>
            <p className="secret row">
              <code>{setup.new_otp_secret}</code>
              <Copy text={setup.new_otp_secret} what={words.secret} />
            </p>
          </div>
          <CodeBox
            externalId={id}
            label={words.check}
            action={words.checkButton}
            isConfirming={setup.isPending}
          />
          <div className="dialog-actions">
            <button type="button" className="primary" onClick={onClose}>
              {words.done}
            </button>
          </div>
        </div>
      )}
    </Dialog>
  );
}
