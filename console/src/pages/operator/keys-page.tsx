import type { KeyList, ReEncryption } from "@edge-idp/sdk";
import { useQuery, useQueryClient } from "@tanstack/react-query";
import { useCallback, useEffect, useId, useRef, useState } from "react";
import { Badge } from "../../parts/badge.tsx";
import { type Column, DataTable } from "../../parts/data-table.tsx";
import { PageHead, Section } from "../../parts/section.tsx";
import { Empty, Failure, Loading } from "../../parts/states.tsx";
import { Time } from "../../parts/time.tsx";
import { useIdp } from "../../session/session-context.ts";
import { texts } from "../../texts/en.ts";

const words = texts.operator.keys;
const queryKey = ["operator", "keys"];

type KeyVersion = KeyList["keys"][number];

function yesOrNo(flag: boolean): string {
  return flag ? texts.common.yes : texts.common.no;
}

const columns: readonly Column<KeyVersion>[] = [
  { id: "keyring", header: words.keyring, cell: ({ keyring }) => <code>{keyring}</code> },
  {
    id: "version",
    header: words.version,
    cell: ({ version, newest }) => (
      <span className="badges">
        {version} {newest ? <Badge tone="good">{words.newest}</Badge> : null}
      </span>
    ),
  },
  { id: "in_keyring", header: words.inKeyring, cell: ({ in_keyring }) => yesOrNo(in_keyring) },
  {
    id: "in_use",
    header: words.inUse,
    cell: ({ in_use }) => (in_use ? texts.common.yes : <Badge tone="good">{words.mayGo}</Badge>),
  },
  {
    id: "sets",
    header: words.codeSets,
    isNumber: true,
    cell: ({ backup_code_sets: sets }) => (sets === null ? "–" : sets.toLocaleString("en")),
  },
  { id: "first", header: words.firstUsed, cell: (key) => <Time at={key.first_used_at} onlyDay /> },
  { id: "retired", header: words.retired, cell: (key) => <Time at={key.retired_at} onlyDay /> },
];

function Progress({ progress }: { readonly progress: ReEncryption }) {
  const id = useId();
  const { done, seen, total, failed, passes, version } = progress;
  return (
    <div className="stack">
      <div className="field">
        <label htmlFor={id}>{words.progress(seen, total)}</label>
        <progress id={id} max={Math.max(1, total)} value={done ? Math.max(1, total) : seen} />
      </div>
      {done ? (
        <p className="callout callout-good" role="status">
          {words.done(version)}
        </p>
      ) : null}
      {passes === 0 ? null : <p className="hint">{words.passes(passes)}</p>}
      {failed === 0 ? null : <p className="callout callout-bad">{words.failed(failed)}</p>}
    </div>
  );
}

/** Asks the service for one part after the other, until all is sealed anew or the reader pauses. */
function ReEncryptionPanel({ known }: { readonly known: ReEncryption | null }) {
  const idp = useIdp();
  const client = useQueryClient();
  const [progress, setProgress] = useState(known);
  const [isRunning, setRunning] = useState(false);
  const [error, setError] = useState<unknown>();
  const isWanted = useRef(false);
  const pause = useCallback(() => {
    isWanted.current = false;
  }, []);
  useEffect(() => pause, [pause]);
  const run = async () => {
    isWanted.current = true;
    setRunning(true);
    setError(undefined);
    try {
      while (isWanted.current) {
        const next = await idp.keys.reEncrypt();
        setProgress(next);
        if (next.done) break;
      }
    } catch (caught) {
      setError(caught);
    }
    setRunning(false);
    await client.invalidateQueries({ queryKey });
  };
  return (
    <Section title={words.reEncryption}>
      <div className="stack">
        <p className="lead">{words.reEncryptionLead}</p>
        {progress === null ? (
          <p className="faint">{words.never}</p>
        ) : (
          <Progress progress={progress} />
        )}
        {error === undefined ? null : <Failure error={error} />}
        <div>
          {isRunning ? (
            <button type="button" onClick={pause}>
              {words.stop}
            </button>
          ) : (
            <button type="button" className="primary" onClick={() => void run()}>
              {words.start}
            </button>
          )}
        </div>
      </div>
    </Section>
  );
}

export default function KeysPage() {
  const idp = useIdp();
  const { data, error, isPending, refetch } = useQuery({
    queryKey,
    queryFn: () => idp.keys.list(),
  });
  return (
    <>
      <PageHead title={texts.pages.keys} lead={words.lead} />
      {isPending ? <Loading /> : null}
      {error === null ? null : <Failure error={error} onRetry={() => void refetch()} />}
      {data === undefined ? null : (
        <div className="stack">
          {data.keys.length === 0 ? (
            <Empty title={words.empty} />
          ) : (
            <DataTable
              caption={texts.pages.keys}
              columns={columns}
              rows={data.keys}
              rowId={({ keyring, version }) => `${keyring} ${version}`}
            />
          )}
          {data.counted.complete ? null : <p className="hint">{words.notCounted}</p>}
          <ReEncryptionPanel known={data.re_encryption} />
        </div>
      )}
    </>
  );
}
