/** What the pages of webhooks and streams share. */
import type { DeliveryAttempt, Stream, StreamAttempt, TestAttempt, Webhook } from "@edge-idp/sdk";
import { type ReactNode, useState } from "react";
import { navigate } from "../../navigation/fragment-location.ts";
import { ActButton } from "../../parts/act-button.tsx";
import { Badge, type Tone } from "../../parts/badge.tsx";
import { Confirm } from "../../parts/confirm.tsx";
import { type Column, DataTable } from "../../parts/data-table.tsx";
import { Field } from "../../parts/field.tsx";
import { useNotify } from "../../parts/notice.tsx";
import { Section } from "../../parts/section.tsx";
import { Time } from "../../parts/time.tsx";
import { texts } from "../../texts/en.ts";
import { wordsFor } from "../../texts/words-for.ts";

const words = texts.destinations;
const tones: Readonly<Record<string, Tone>> = {
  enabled: "good",
  disabled: "plain",
  failing: "bad",
};

export type Destination = Webhook | Stream;

export function DestinationStatus({ status }: { readonly status: string }) {
  return <Badge tone={tones[status] ?? "plain"}>{wordsFor(words.statuses, status)}</Badge>;
}

export function describeLag({ behind }: Destination): string {
  return words.behindBy(behind.events, behind.seconds);
}

/** Where a stream sends, in one line. */
export function targetOf({ url, endpoint, bucket }: Stream): string {
  return url ?? `${endpoint ?? ""}/${bucket ?? ""}`;
}

export function describeTest({ status, milliseconds, error }: TestAttempt): string {
  return error === null
    ? words.tested(status, milliseconds)
    : words.testFailed(error, milliseconds);
}

interface ActionsProps {
  readonly destination: Destination;
  readonly test: () => Promise<TestAttempt>;
  readonly setStatus: (status: "enabled" | "disabled") => Promise<unknown>;
  readonly replay: (from: number) => Promise<unknown>;
  readonly remove: () => Promise<unknown>;
  readonly refresh: () => Promise<unknown>;
}

/** What can be done with a webhook and with a stream alike. */
export function DestinationActions(props: ActionsProps) {
  const { destination, test, setStatus, replay, remove, refresh } = props;
  const notify = useNotify();
  const [asked, setAsked] = useState<"disable" | "replay" | "remove">();
  const [leaf, setLeaf] = useState("0");
  const close = () => setAsked(undefined);
  const then = async (work: Promise<unknown>, said: string) => {
    await work;
    await refresh();
    notify(said);
  };
  return (
    <>
      <ActButton act={async () => notify(describeTest(await test()))}>{words.test}</ActButton>
      <button type="button" onClick={() => setAsked("replay")}>
        {words.replayFrom}
      </button>
      {destination.status === "disabled" ? (
        <ActButton act={() => then(setStatus("enabled"), words.enabled)}>{words.enable}</ActButton>
      ) : (
        <button type="button" onClick={() => setAsked("disable")}>
          {words.disable}
        </button>
      )}
      <button type="button" className="danger" onClick={() => setAsked("remove")}>
        {words.remove}
      </button>
      {asked === "disable" ? (
        <Confirm
          title={words.disableTitle}
          hint={words.disableHint}
          action={words.disable}
          act={() => then(setStatus("disabled"), words.disabled)}
          onClose={close}
        />
      ) : null}
      {asked === "replay" ? (
        <Confirm
          title={words.replayTitle}
          hint={
            <>
              <p>{words.replayHint}</p>
              <Field
                label={words.replayLeaf}
                type="number"
                min={0}
                value={leaf}
                onValue={setLeaf}
              />
            </>
          }
          action={words.replay}
          act={() => then(replay(Number(leaf)), words.replayed)}
          onClose={close}
        />
      ) : null}
      {asked === "remove" ? (
        <Confirm
          title={words.removeTitle}
          hint={words.removeHint}
          action={words.remove}
          act={async () => {
            await remove();
            notify(words.removed);
            navigate("/destinations");
          }}
          onClose={close}
        />
      ) : null}
    </>
  );
}

type Attempt = DeliveryAttempt | StreamAttempt;

interface AttemptsProps<One extends Attempt> {
  readonly attempts: readonly One[];
  /** A button for each attempt. */
  readonly act?: (attempt: One) => ReactNode;
}

/** The last attempts, the newest first. */
export function Attempts<One extends Attempt>({ attempts, act }: AttemptsProps<One>) {
  const columns: readonly Column<One>[] = [
    { id: "at", header: words.at, cell: ({ at }) => <Time at={at} /> },
    {
      id: "leaf",
      header: words.leaf,
      isNumber: true,
      cell: (one) =>
        "events" in one && typeof one.events === "number" && one.events > 1
          ? `${one.leaf_index} (+${one.events - 1})`
          : one.leaf_index,
    },
    {
      id: "answer",
      header: words.answer,
      cell: ({ status, error }) => (
        <span className="badges">
          <Badge tone={error === null ? "good" : "bad"}>{status ?? words.noAnswer}</Badge>
          {error === null ? null : <span className="faint">{error}</span>}
        </span>
      ),
    },
    {
      id: "took",
      header: words.took,
      isNumber: true,
      cell: ({ milliseconds }) => words.milliseconds(milliseconds),
    },
    {
      id: "next",
      header: words.next,
      cell: ({ next_at }) =>
        next_at === null ? (
          <span className="faint">{texts.common.none}</span>
        ) : (
          <Time at={next_at} />
        ),
    },
    ...(act === undefined
      ? []
      : [{ id: "acts", header: texts.common.columnActions, cell: act } satisfies Column<One>]),
  ];
  return (
    <Section title={words.attempts}>
      {attempts.length === 0 ? (
        <p className="faint">{words.noAttempts}</p>
      ) : (
        <DataTable
          caption={words.attempts}
          columns={columns}
          rows={attempts}
          rowId={({ event_id, at }) => `${event_id} ${at}`}
        />
      )}
    </Section>
  );
}
