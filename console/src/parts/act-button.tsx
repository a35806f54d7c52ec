import { type ReactNode, useState } from "react";
import { useNotify } from "./notice.tsx";
import { describeErrorWithRequest } from "./states.tsx";

interface ActButtonProps {
  readonly act: () => Promise<unknown>;
  /** What to say after a success. */
  readonly done?: string;
  readonly className?: string;
  readonly disabled?: boolean;
  readonly children: ReactNode;
}

/** A button that cannot be pressed again while it acts. It says what went wrong. */
export function ActButton({ act, done, className, disabled = false, children }: ActButtonProps) {
  const [isBusy, setBusy] = useState(false);
  const notify = useNotify();
  const press = async () => {
    setBusy(true);
    try {
      await act();
      if (done !== undefined) notify(done);
    } catch (error) {
      notify(describeErrorWithRequest(error));
    } finally {
      setBusy(false);
    }
  };
  return (
    <button
      type="button"
      className={className}
      disabled={isBusy || disabled}
      onClick={() => void press()}
    >
      {children}
    </button>
  );
}
