import type { IssuedWebhook, NewWebhook } from "@edge-idp/sdk";
import { type FormEvent, useId, useState } from "react";
import { Dialog } from "../../parts/dialog.tsx";
import { Field } from "../../parts/field.tsx";
import { Failure } from "../../parts/states.tsx";
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
  const [error, setError] = useState<unknown>();
  const submit = async (event: FormEvent) => {
    event.preventDefault();
    setError(undefined);
    try {
      const described = description === "" ? {} : { description };
      const created = await idp.webhooks.create({
        url,
        events: parseEvents(events),
        ...described,
      });
      onClose();
      await onCreated(created);
    } catch (caught) {
      setError(caught);
    }
  };
  return (
    <Dialog title={words.createWebhook} onClose={onClose}>
      <form onSubmit={(event) => void submit(event)}>
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
        {error === undefined ? null : <Failure error={error} />}
        <div className="dialog-actions">
          <button type="button" onClick={onClose}>
            {texts.common.cancel}
          </button>
          <button type="submit" className="primary">
            {words.createWebhook}
          </button>
        </div>
      </form>
    </Dialog>
  );
}
