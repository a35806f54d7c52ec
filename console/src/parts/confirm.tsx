import { type ReactNode, useId, useState } from "react";
import { texts } from "../texts/en.ts";
import { FormDialog } from "./form-dialog.tsx";
import { Name } from "./name.tsx";

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

/** Asks before it acts. */
export function Confirm(props: ConfirmProps) {
  const { hint, typed, isHarmless = false, ...rest } = props;
  const [text, setText] = useState("");
  const inputId = useId();
  return (
    <FormDialog {...rest} isDangerous={!isHarmless} isReady={typed === undefined || text === typed}>
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
    </FormDialog>
  );
}
