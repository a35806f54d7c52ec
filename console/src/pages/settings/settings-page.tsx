import schema from "virtual:settings-schema";
import type { SettingsPatch, TenantSettings } from "@edge-idp/sdk";
import { useQuery, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { Confirm } from "../../parts/confirm.tsx";
import { useNotify } from "../../parts/notice.tsx";
import { PageHead, Section } from "../../parts/section.tsx";
import { Failure, Loading } from "../../parts/states.tsx";
import { usePermissions, useSession } from "../../session/session-context.ts";
import { texts } from "../../texts/en.ts";
import { wordsFor } from "../../texts/words-for.ts";
import {
  createPatch,
  isSame,
  labelOf,
  listFields,
  parseText,
  readValue,
  type SettingChange,
  type SettingValue,
  toText,
} from "./fields.ts";
import { SettingInput } from "./setting-input.tsx";

const words = texts.settings;
const fields = listFields(schema);
const sections = [...new Set(fields.map(({ path: [section = ""] }) => section))];

/** What the reader has typed, by the path of the field. */
type Draft = Readonly<Record<string, string>>;

function Value({ value }: { readonly value: SettingValue }) {
  const text = toText(value);
  return text === "" ? <span className="faint">{words.empty}</span> : <code>{text}</code>;
}

function Difference({ changes }: { readonly changes: readonly SettingChange[] }) {
  return (
    <div className="table-place">
      <table className="table">
        <caption className="hidden-label">{words.changes(changes.length)}</caption>
        <thead>
          <tr>
            <th scope="col">{words.setting}</th>
            <th scope="col">{words.before}</th>
            <th scope="col">{words.after}</th>
          </tr>
        </thead>
        <tbody>
          {changes.map(({ field, before, after }) => (
            <tr key={field.path.join(".")}>
              <td data-label={words.setting}>{labelOf(field.path)}</td>
              <td data-label={words.before}>
                <Value value={before} />
              </td>
              <td data-label={words.after}>
                <Value value={after} />
              </td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}

interface EditorProps {
  readonly settings: TenantSettings["settings"];
}

function SettingsEditor({ settings }: EditorProps) {
  const { id, idp } = useSession();
  const can = usePermissions();
  const client = useQueryClient();
  const notify = useNotify();
  const [draft, setDraft] = useState<Draft>({});
  const [isReviewing, setReviewing] = useState(false);
  const isReadOnly = !can("settings:write");
  const entries = fields.map((field) => {
    const key = field.path.join(".");
    const before = readValue(settings, field.path);
    const text = draft[key] ?? toText(before);
    const after = draft[key] === undefined ? before : parseText(field, text);
    return { key, field, before, text, after };
  });
  const isValid = entries.every(({ after }) => after !== undefined);
  const changes = entries.flatMap(({ field, before, after }) =>
    after === undefined || isSame(before, after) ? [] : [{ field, before, after }],
  );
  const save = async () => {
    const patch: SettingsPatch = JSON.parse(JSON.stringify(createPatch(changes)));
    await idp.settings.change(patch);
    await client.invalidateQueries({ queryKey: [id] });
    setDraft({});
    notify(words.saved);
  };
  return (
    <>
      {isReadOnly ? <p className="callout">{words.readOnly}</p> : null}
      <div className="stack">
        {sections.map((section) => (
          <Section key={section} title={wordsFor(words.sections, section)}>
            <div className="settings">
              {entries
                .filter(({ field }) => field.path[0] === section)
                .map(({ key, field, text, after }) => (
                  <SettingInput
                    key={key}
                    {...{ field, text, isReadOnly }}
                    problem={after === undefined ? words.notANumber : undefined}
                    onText={(typed) => setDraft({ ...draft, [key]: typed })}
                  />
                ))}
            </div>
          </Section>
        ))}
      </div>
      {isReadOnly ? null : (
        <div className="save-bar">
          <span role="status">
            {changes.length === 0 ? words.noChanges : words.changes(changes.length)}
          </span>
          <button type="button" disabled={changes.length === 0} onClick={() => setDraft({})}>
            {words.discard}
          </button>
          <button
            type="button"
            className="primary"
            disabled={changes.length === 0 || !isValid}
            onClick={() => setReviewing(true)}
          >
            {words.review}
          </button>
        </div>
      )}
      {isReviewing ? (
        <Confirm
          title={words.reviewTitle}
          hint={<Difference changes={changes} />}
          action={texts.common.save}
          isHarmless
          act={save}
          onClose={() => setReviewing(false)}
        />
      ) : null}
    </>
  );
}

export default function SettingsPage() {
  const { id, idp } = useSession();
  const { data, error, isPending, refetch } = useQuery({
    queryKey: [id, "settings"],
    queryFn: () => idp.settings.get(),
  });
  return (
    <>
      <PageHead title={texts.pages.settings} lead={words.lead} />
      {isPending ? <Loading /> : null}
      {error === null ? null : <Failure error={error} onRetry={() => void refetch()} />}
      {data === undefined ? null : <SettingsEditor settings={data.settings} />}
    </>
  );
}
