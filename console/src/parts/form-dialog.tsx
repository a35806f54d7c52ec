import { type FormEvent, type ReactNode, useState } from "react";
import { texts } from "../texts/en.ts";
import { Dialog } from "./dialog.tsx";
import { Failure } from "./states.tsx";

interface FormDialogProps<Result> {
  readonly title: string;
  /** The words on the button that submits the form. */
  readonly action: string;
  readonly isDangerous?: boolean;
  /** Whether the form can be submitted. */
  readonly isReady?: boolean;
  /** Whether the fields hold what is needed; it shows what is missing. */
  readonly check?: () => boolean;
  readonly act: () => Promise<Result>;
  /** Runs after the dialog has closed. */
  readonly onDone?: (result: Result) => unknown;
  readonly onClose: () => void;
  /** The fields. */
  readonly children: ReactNode;
}

/** A dialog with a form. It acts once at a time, shows what went wrong, and closes after a success. */
export function FormDialog<Result>(props: FormDialogProps<Result>) {
  const { title, action, isDangerous = false, isReady = true, children } = props;
  const { check, act, onDone, onClose } = props;
  const [isBusy, setBusy] = useState(false);
  const [error, setError] = useState<unknown>();
  const submit = async (event: FormEvent) => {
    event.preventDefault();
    if (!isReady || isBusy || check?.() === false) return;
    setBusy(true);
    setError(undefined);
    try {
      const result = await act();
      onClose();
      await onDone?.(result);
    } catch (caught) {
      setError(caught);
      setBusy(false);
    }
  };
  return (
    <Dialog title={title} onClose={onClose}>
      <form onSubmit={(event) => void submit(event)}>
        {children}
        {error === undefined ? null : <Failure error={error} />}
        <div className="dialog-actions">
          <button type="button" onClick={onClose}>
            {texts.common.cancel}
          </button>
          <button
            type="submit"
            className={isDangerous ? "danger" : "primary"}
            disabled={!isReady || isBusy}
          >
            {action}
          </button>
        </div>
      </form>
    </Dialog>
  );
}
