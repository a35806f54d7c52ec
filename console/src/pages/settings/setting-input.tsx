import { useId } from "react";
import { texts } from "../../texts/en.ts";
import { labelOf, type SettingField } from "./fields.ts";

interface SettingInputProps {
  readonly field: SettingField;
  readonly text: string;
  readonly problem: string | undefined;
  readonly isReadOnly: boolean;
  readonly onText: (text: string) => void;
}

function describeRange({ minimum, maximum }: SettingField): string | undefined {
  if (minimum === undefined || maximum === undefined) return undefined;
  return texts.settings.range(minimum.toLocaleString("en"), maximum.toLocaleString("en"));
}

/** The descriptions of the API mark names with backticks. */
function Description({ text }: { readonly text: string }) {
  const parts = text.split("`").map((part, index) => ({ part, isName: index % 2 === 1, index }));
  return parts.map(({ part, isName, index }) =>
    isName ? <code key={index}>{part}</code> : <span key={index}>{part}</span>,
  );
}

/** The input of one setting, as its schema asks for it. */
export function SettingInput(props: SettingInputProps) {
  const { field, text, problem, isReadOnly, onText } = props;
  const id = useId();
  const hints = [
    field.description,
    describeRange(field),
    field.kind === "list" ? texts.settings.onePerLine : undefined,
  ].filter((hint) => hint !== undefined);
  const common = {
    id,
    value: text,
    disabled: isReadOnly,
    "aria-describedby": `${id}-hint`,
    "aria-invalid": problem === undefined ? undefined : true,
  };
  const choices = field.kind === "flag" ? ["true", "false"] : field.choices;
  return (
    <div className="field setting">
      <label htmlFor={id}>{labelOf(field.path.slice(1))}</label>
      {field.kind === "list" ? (
        <textarea {...common} rows={3} onChange={(event) => onText(event.target.value)} />
      ) : choices.length > 0 ? (
        <select {...common} onChange={(event) => onText(event.target.value)}>
          {field.mayBeNull ? <option value="">{texts.settings.empty}</option> : null}
          {choices.map((choice) => (
            <option key={choice} value={choice}>
              {choice}
            </option>
          ))}
        </select>
      ) : (
        <input
          {...common}
          inputMode={field.kind === "number" ? "decimal" : "text"}
          autoComplete="off"
          placeholder={field.mayBeNull ? texts.settings.empty : undefined}
          onChange={(event) => onText(event.target.value)}
        />
      )}
      <p id={`${id}-hint`} className="hint">
        <Description text={hints.join(" · ")} />
      </p>
      {problem === undefined ? null : (
        <p className="field-error" role="alert">
          {problem}
        </p>
      )}
    </div>
  );
}
