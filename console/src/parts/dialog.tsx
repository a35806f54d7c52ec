/** Dialogs, and the question before an act that destroys something. */
import { Dialog as AriakitDialog, DialogDismiss, DialogHeading } from "@ariakit/react/dialog";
import { HeadingLevel } from "@ariakit/react/heading";
import { type ReactNode, useId, useState } from "react";
import { texts } from "../texts/en.ts";
import { Name } from "./name.tsx";
import { Failure } from "./states.tsx";

interface DialogProps {
  readonly title: string;
  readonly onClose: () => void;
  readonly children: ReactNode;
  /** Whether a touch outside does not close it, because it shows something that is shown once. */
  readonly isSticky?: boolean;
  readonly isWide?: boolean;
}

export function Dialog(props: DialogProps) {
  const { title, onClose, children, isSticky = false, isWide = false } = props;
  return (
    <AriakitDialog
      open
      onClose={onClose}
      className={isWide ? "dialog dialog-wide" : "dialog"}
      backdrop={<div className="backdrop" />}
      hideOnInteractOutside={!isSticky}
    >
      <header className="dialog-head">
        <HeadingLevel level={2}>
          <DialogHeading className="dialog-title">{title}</DialogHeading>
        </HeadingLevel>
        <DialogDismiss className="quiet" aria-label={texts.common.close}>
          ✕
        </DialogDismiss>
      </header>
      {children}
    </AriakitDialog>
  );
}

interface ConfirmProps {
  readonly title: string;
  readonly hint: ReactNode;
  readonly action: string;
  /** What the reader must type before. */
  readonly typed?: string;
  readonly isHarmless?: boolean;
  readonly act: () => Promise<unknown>;
  readonly onClose: () => void;
}

/** Asks before it acts, and shows what went wrong. It closes after a success. */
export function Confirm(props: ConfirmProps) {
  const { title, hint, action, typed, isHarmless = false, act, onClose } = props;
  const [text, setText] = useState("");
  const [isBusy, setBusy] = useState(false);
  const [error, setError] = useState<unknown>();
  const inputId = useId();
  const isReady = typed === undefined || text === typed;
  const submit = async () => {
    if (!isReady || isBusy) return;
    setBusy(true);
    setError(undefined);
    try {
      await act();
      onClose();
    } catch (caught) {
      setError(caught);
      setBusy(false);
    }
  };
  return (
    <Dialog title={title} onClose={onClose}>
      <form
        onSubmit={(event) => {
          event.preventDefault();
          void submit();
        }}
      >
        <div className="dialog-hint">{hint}</div>
        {typed === undefined ? null : (
          <div className="field">
            <label htmlFor={inputId}>
              {texts.common.typeToConfirm}
              <Name whole>{typed}</Name>
            </label>
            <input
              id={inputId}
              value={text}
              autoComplete="off"
              onChange={(event) => setText(event.target.value)}
            />
          </div>
        )}
        {error === undefined ? null : <Failure error={error} />}
        <div className="dialog-actions">
          <button type="button" onClick={onClose}>
            {texts.common.cancel}
          </button>
          <button
            type="submit"
            className={isHarmless ? "primary" : "danger"}
            disabled={!isReady || isBusy}
          >
            {action}
          </button>
        </div>
      </form>
    </Dialog>
  );
}
