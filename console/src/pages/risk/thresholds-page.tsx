import type { EdgeIdp } from "@edge-idp/sdk";
import { keepPreviousData, useQuery, useQueryClient } from "@tanstack/react-query";
import { useId, useState } from "react";
import { Confirm } from "../../parts/confirm.tsx";
import { useNotify } from "../../parts/notice.tsx";
import { PageHead, Section } from "../../parts/section.tsx";
import { Failure, Loading } from "../../parts/states.tsx";
import { useSettled } from "../../parts/use-settled.ts";
import { usePermissions, useSession } from "../../session/session-context.ts";
import { texts } from "../../texts/en.ts";
import { SimulationOutcome } from "./simulation-outcome.tsx";

const words = texts.risk;
/** A slider that moves asks for nothing. */
const settleMs = 200;
/** The thresholds of a tenant that has set none. */
const defaults = { challenge_at: 0.5, deny_at: 0.8 };

interface Thresholds {
  readonly challenge_at: number;
  readonly deny_at: number;
}

interface SliderProps {
  readonly label: string;
  readonly value: number;
  readonly onValue: (value: number) => void;
}

function Slider({ label, value, onValue }: SliderProps) {
  const id = useId();
  return (
    <div className="field">
      <label htmlFor={id} className="row">
        {label} <output htmlFor={id}>{value.toFixed(2)}</output>
      </label>
      <input
        id={id}
        type="range"
        min={0.01}
        max={0.99}
        step={0.01}
        value={value}
        onChange={(event) => onValue(event.target.valueAsNumber)}
      />
    </div>
  );
}

function useSimulation(idp: EdgeIdp, sessionId: string, thresholds: Thresholds) {
  return useQuery({
    queryKey: [sessionId, "simulation", thresholds],
    queryFn: ({ signal }) => idp.sentinel.simulate({ sentinel: thresholds }, { signal }),
    enabled: thresholds.challenge_at <= thresholds.deny_at,
    placeholderData: keepPreviousData,
  });
}

interface EditorProps {
  readonly current: Thresholds;
}

function ThresholdEditor({ current }: EditorProps) {
  const { id, idp } = useSession();
  const can = usePermissions();
  const client = useQueryClient();
  const notify = useNotify();
  const [draft, setDraft] = useState(current);
  const [isSaving, setSaving] = useState(false);
  const settled = useSettled(draft, settleMs);
  const { data, error, isFetching, refetch } = useSimulation(idp, id, settled);
  const isOrdered = draft.challenge_at <= draft.deny_at;
  const isChanged =
    draft.challenge_at !== current.challenge_at || draft.deny_at !== current.deny_at;
  const save = async () => {
    await idp.settings.change({ sentinel: draft });
    await client.invalidateQueries({ queryKey: [id] });
    notify(words.saved);
  };
  return (
    <div className="stack">
      <Section title={words.thresholds}>
        <div className="columns">
          <Slider
            label={words.challengeAt}
            value={draft.challenge_at}
            onValue={(challenge_at) => setDraft({ ...draft, challenge_at })}
          />
          <Slider
            label={words.denyAt}
            value={draft.deny_at}
            onValue={(deny_at) => setDraft({ ...draft, deny_at })}
          />
        </div>
        {isOrdered ? null : (
          <p className="field-error" role="alert">
            {words.order}
          </p>
        )}
        {can("settings:write") ? (
          <div className="dialog-actions">
            <button
              type="button"
              className="primary"
              disabled={!isOrdered || !isChanged}
              onClick={() => setSaving(true)}
            >
              {words.saveThresholds}
            </button>
          </div>
        ) : null}
      </Section>
      <div aria-busy={isFetching} className="stack">
        {error !== null ? (
          <Failure error={error} onRetry={() => void refetch()} />
        ) : data === undefined ? (
          <Loading />
        ) : (
          <SimulationOutcome simulation={data} />
        )}
      </div>
      {isSaving ? (
        <Confirm
          title={words.saveTitle}
          hint={
            <ul>
              <li>
                {words.challengeAt}: {current.challenge_at} → {draft.challenge_at}
              </li>
              <li>
                {words.denyAt}: {current.deny_at} → {draft.deny_at}
              </li>
            </ul>
          }
          action={texts.common.save}
          isHarmless
          act={save}
          onClose={() => setSaving(false)}
        />
      ) : null}
    </div>
  );
}

export default function ThresholdsPage() {
  const { id, idp } = useSession();
  const can = usePermissions();
  const mayRead = can("settings:read");
  const query = useQuery({
    queryKey: [id, "settings"],
    queryFn: () => idp.settings.get(),
    enabled: mayRead,
  });
  const sentinel = mayRead ? query.data?.settings.sentinel : defaults;
  return (
    <>
      <PageHead title={words.thresholds} lead={words.thresholdsLead} />
      {query.error !== null ? (
        <Failure error={query.error} onRetry={() => void query.refetch()} />
      ) : sentinel === undefined ? (
        <Loading />
      ) : (
        <ThresholdEditor
          key={`${sentinel.challenge_at} ${sentinel.deny_at}`}
          current={{ challenge_at: sentinel.challenge_at, deny_at: sentinel.deny_at }}
        />
      )}
    </>
  );
}
