import { useId, useState } from "react";
import { Field } from "../../parts/field.tsx";
import { FormDialog } from "../../parts/form-dialog.tsx";
import { useIdp } from "../../session/session-context.ts";
import { texts } from "../../texts/en.ts";
import { createStream, type StreamType, streamFields, streamTypes } from "./stream-form.ts";

const words = texts.destinations;

interface CreateStreamProps {
  readonly onCreated: () => Promise<unknown>;
  readonly onClose: () => void;
}

export function CreateStream({ onCreated, onClose }: CreateStreamProps) {
  const idp = useIdp();
  const ids = { type: useId(), format: useId(), headers: useId() };
  const [type, setType] = useState<StreamType>("http");
  const [format, setFormat] = useState<"native" | "ocsf">("native");
  const [typed, setTyped] = useState<Readonly<Record<string, string>>>({});
  const [headers, setHeaders] = useState("");
  const [from, setFrom] = useState("");
  const create = () =>
    idp.streams.create(createStream({ type, format, texts: typed, headers, from }));
  return (
    <FormDialog
      title={words.createStream}
      action={words.createStream}
      act={create}
      onDone={onCreated}
      onClose={onClose}
    >
      <div className="field">
        <label htmlFor={ids.type}>{words.type}</label>
        <select
          id={ids.type}
          value={type}
          onChange={({ target }) =>
            setType(streamTypes.find((one) => one === target.value) ?? "http")
          }
        >
          {streamTypes.map((one) => (
            <option key={one} value={one}>
              {words.types[one]}
            </option>
          ))}
        </select>
      </div>
      <div className="field">
        <label htmlFor={ids.format}>{words.format}</label>
        <select
          id={ids.format}
          value={format}
          onChange={({ target }) => setFormat(target.value === "ocsf" ? "ocsf" : "native")}
        >
          <option value="native">{words.formats.native}</option>
          <option value="ocsf">{words.formats.ocsf}</option>
        </select>
      </div>
      {streamFields[type].map(({ name, label, isSecret = false, isOptional = false }) => (
        <Field
          key={name}
          label={label}
          isSecret={isSecret}
          value={typed[name] ?? ""}
          onValue={(value) => setTyped({ ...typed, [name]: value })}
          required={!isOptional}
        />
      ))}
      {type === "http" ? (
        <div className="field">
          <label htmlFor={ids.headers}>{words.headers}</label>
          <textarea
            id={ids.headers}
            rows={2}
            value={headers}
            placeholder={words.headersHint}
            onChange={(event) => setHeaders(event.target.value)}
          />
        </div>
      ) : null}
      <Field
        label={words.from}
        hint={words.fromHint}
        type="number"
        min={0}
        value={from}
        onValue={setFrom}
      />
    </FormDialog>
  );
}
