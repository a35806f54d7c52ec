import { type DragEvent, useEffect, useId, useRef, useState } from "react";
import { ActButton } from "../../parts/act-button.tsx";
import { Facts, PageHead, Section } from "../../parts/section.tsx";
import { Time } from "../../parts/time.tsx";
import { readCredentials } from "../../session/session.ts";
import { useIdp } from "../../session/session-context.ts";
import { texts } from "../../texts/en.ts";
import { saveFile } from "./save-file.ts";
import { startWorker } from "./start-worker.ts";
import type { ShownVerdict, VerifyAnswer, VerifyRequest } from "./verify-messages.ts";

const words = texts.trail;

interface OlderFile {
  readonly name: string;
  readonly text: string;
}

interface OlderCheckpointProps {
  readonly file: OlderFile | undefined;
  readonly onFile: (file: OlderFile | undefined) => void;
}

/** Takes an older checkpoint that is dropped on it, or chosen. */
function OlderCheckpoint({ file, onFile }: OlderCheckpointProps) {
  const id = useId();
  const [isOver, setOver] = useState(false);
  const take = async (one: File | undefined) => {
    if (one !== undefined) onFile({ name: one.name, text: await one.text() });
  };
  const drop = (event: DragEvent) => {
    event.preventDefault();
    setOver(false);
    void take(event.dataTransfer.files[0]);
  };
  return (
    // biome-ignore lint/a11y/noStaticElementInteractions: the input in it does the same for the keyboard.
    <div
      className={isOver ? "drop drop-over" : "drop"}
      onDragOver={(event) => {
        event.preventDefault();
        setOver(true);
      }}
      onDragLeave={() => setOver(false)}
      onDrop={drop}
    >
      <label htmlFor={id}>{words.older}</label>
      <p className="hint">{words.olderHint}</p>
      <input
        id={id}
        type="file"
        accept=".json,application/json,text/plain"
        onChange={(event) => void take(event.target.files?.[0])}
      />
      {file === undefined ? null : (
        <p className="row">
          {words.olderChosen(file.name)}
          <button type="button" className="small" onClick={() => onFile(undefined)}>
            {words.removeFile}
          </button>
        </p>
      )}
    </div>
  );
}

function Verdict({ verdict }: { readonly verdict: ShownVerdict }) {
  const { isWhole, leaves, problems, olderSize, checkpoint, milliseconds } = verdict;
  return (
    <div className="stack">
      <div
        role="status"
        data-verdict={isWhole ? "whole" : "broken"}
        className={isWhole ? "callout callout-good" : "callout callout-bad"}
      >
        <p>
          <strong>{isWhole ? words.ok(leaves) : words.notOk}</strong>
        </p>
        {isWhole && olderSize !== undefined ? <p>{words.okOlder(olderSize)}</p> : null}
        <p>{words.took((milliseconds / 1000).toFixed(1))}</p>
      </div>
      {problems.length === 0 ? null : (
        <section>
          <h3>{words.problems}</h3>
          <ul className="problems">
            {problems.map((problem) => (
              <li key={problem}>{problem}</li>
            ))}
          </ul>
        </section>
      )}
      {checkpoint === undefined ? null : (
        <Facts
          facts={[
            [words.log, <code key="l">{checkpoint.log}</code>],
            [words.covered, checkpoint.size.toLocaleString("en")],
            [words.signedAt, <Time key="t" at={new Date(checkpoint.signedAt).toISOString()} />],
            [words.signedBy, <code key="k">{checkpoint.signedBy}</code>],
            [words.root, <code key="r">{checkpoint.root}</code>],
          ]}
        />
      )}
    </div>
  );
}

type State =
  | { readonly kind: "ready" }
  | { readonly kind: "running"; readonly done: number; readonly total: number | undefined }
  | { readonly kind: "verdict"; readonly verdict: ShownVerdict }
  | { readonly kind: "failure"; readonly sentence: string };

/** Runs the worker; the page ends it when the reader leaves. */
function useVerification() {
  const worker = useRef<Worker>(undefined);
  const [state, setState] = useState<State>({ kind: "ready" });
  const stop = () => {
    worker.current?.terminate();
    worker.current = undefined;
  };
  useEffect(() => () => worker.current?.terminate(), []);
  const start = (older: string | undefined) => {
    const credentials = readCredentials();
    if (credentials === undefined) return;
    stop();
    setState({ kind: "running", done: 0, total: undefined });
    const started = startWorker();
    worker.current = started;
    started.addEventListener("message", ({ data }: MessageEvent<VerifyAnswer>) => {
      if (data.kind === "progress") return setState({ ...data, kind: "running" });
      stop();
      setState(data);
    });
    started.addEventListener("error", () => {
      stop();
      setState({ kind: "failure", sentence: texts.common.wrong });
    });
    const request: VerifyRequest = { url: location.origin, token: credentials.token, older };
    started.postMessage(request);
  };
  const cancel = () => {
    stop();
    setState({ kind: "ready" });
  };
  return { state, start, cancel };
}

export default function VerifyPage() {
  const idp = useIdp();
  const [older, setOlder] = useState<OlderFile>();
  const { state, start, cancel } = useVerification();
  const saveCheckpoint = async () => {
    const answer = await idp.audit.checkpoint();
    const name = `checkpoint-${answer.checkpoint.tree_size}.json`;
    saveFile(name, new Blob([JSON.stringify(answer, null, 2)]));
  };
  const saveExport = async () => {
    saveFile("export.ndjson", await new Response(idp.audit.exportBytes()).blob());
  };
  return (
    <>
      <PageHead title={words.verify} lead={words.verifyLead}>
        <ActButton act={saveCheckpoint}>{words.saveCheckpoint}</ActButton>
        <ActButton act={saveExport}>{words.saveExport}</ActButton>
      </PageHead>
      <div className="stack">
        <Section title={words.check}>
          <div className="stack">
            <OlderCheckpoint file={older} onFile={setOlder} />
            {state.kind === "running" ? (
              <div className="row">
                <Progress done={state.done} total={state.total} />
                <button type="button" onClick={cancel}>
                  {words.stop}
                </button>
              </div>
            ) : (
              <div>
                <button type="button" className="primary" onClick={() => start(older?.text)}>
                  {words.start}
                </button>
              </div>
            )}
            {state.kind === "verdict" ? <Verdict verdict={state.verdict} /> : null}
            {state.kind === "failure" ? (
              <div className="failure" role="alert" data-verdict="none">
                <p>
                  <strong>{words.cannot}</strong> {state.sentence}
                </p>
              </div>
            ) : null}
          </div>
        </Section>
        <p className="hint">{words.saveCheckpointHint}</p>
      </div>
    </>
  );
}

interface ProgressProps {
  readonly done: number;
  readonly total: number | undefined;
}

function Progress({ done, total }: ProgressProps) {
  const id = useId();
  const sentence = total === undefined ? texts.common.loading : words.progress(done, total);
  return (
    <div className="field grow">
      <label htmlFor={id}>{sentence}</label>
      <progress id={id} max={total ?? 1} value={done} />
    </div>
  );
}
