import type { IssuedWebhook, NewWebhook } from "@edge-idp/sdk";
import { useId, useState } from "react";
import { Field } from "../../parts/field.tsx";
import { FormDialog } from "../../parts/form-dialog.tsx";
import { useIdp } from "../../session/session-context.ts";
import { texts } from "../../texts/en.ts";

const words = texts.destinations;

interface CreateWebhookProps {
  readonly onCreated: (webhook: IssuedWebhook) => Promise<void>;
  readonly onClose: () => void;
}

/** The kinds of events that the reader has typed; the service refuses those that it does not know. */
export function parseEvents(text: string): NewWebhook["events"] {
  const lines = text.split("\n").map((line) => line.trim());
  return JSON.parse(JSON.stringify(lines.filter((line) => line !== "")));
}

export function CreateWebhook({ onCreated, onClose }: CreateWebhookProps) {
  const idp = useIdp();
  const eventsId = useId();
  const [url, setUrl] = useState("");
  const [events, setEvents] = useState("user.*\notp.*");
  const [description, setDescription] = useState("");
  const create = () => {
    const described = description === "" ? {} : { description };
    return idp.webhooks.create({ url, events: parseEvents(events), ...described });
  };
  return (
    <FormDialog
      title={words.createWebhook}
      action={words.createWebhook}
      act={create}
      onDone={onCreated}
      onClose={onClose}
    >
      <Field label={words.url} hint={words.urlHint} value={url} onValue={setUrl} required />
      <div className="field">
        <label htmlFor={eventsId}>{words.events}</label>
        <textarea
          id={eventsId}
          rows={3}
          value={events}
          aria-describedby={`${eventsId}-hint`}
          onChange={(event) => setEvents(event.target.value)}
        />
        <p id={`${eventsId}-hint`} className="hint">
          {words.eventsHint}
        </p>
      </div>
      <Field label={words.description} value={description} onValue={setDescription} />
    </FormDialog>
  );
}
