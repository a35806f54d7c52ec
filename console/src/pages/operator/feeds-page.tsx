import type { Feeds } from "@edge-idp/sdk";
import { useQuery } from "@tanstack/react-query";
import { type Column, DataTable } from "../../parts/data-table.tsx";
import { PageHead } from "../../parts/section.tsx";
import { Empty, Failure, Loading } from "../../parts/states.tsx";
import { Time } from "../../parts/time.tsx";
import { useIdp } from "../../session/session-context.ts";
import { texts } from "../../texts/en.ts";

const words = texts.operator.feeds;

const columns: readonly Column<Feeds["feeds"][number]>[] = [
  { id: "name", header: words.name, cell: ({ name }) => <code>{name}</code> },
  { id: "kind", header: words.kind, cell: ({ kind }) => kind },
  { id: "rows", header: words.rows, isNumber: true, cell: ({ rows }) => rows.toLocaleString("en") },
  {
    id: "skipped",
    header: words.skipped,
    isNumber: true,
    cell: ({ skipped_lines: lines }) => lines.toLocaleString("en"),
  },
  { id: "fetched", header: words.fetched, cell: (feed) => <Time at={feed.fetched_at} /> },
  { id: "changed", header: words.changed, cell: (feed) => <Time at={feed.changed_at} /> },
  {
    id: "licence",
    header: words.licence,
    cell: ({ licence }) => licence ?? <span className="faint">{texts.common.none}</span>,
  },
  {
    id: "error",
    header: words.error,
    cell: ({ last_error: error }) =>
      error === null ? (
        <span className="faint">{texts.common.none}</span>
      ) : (
        <span>
          {error.reason} <Time at={error.at} />
        </span>
      ),
  },
];

export default function FeedsPage() {
  const idp = useIdp();
  const { data, error, isPending, refetch } = useQuery({
    queryKey: ["operator", "feeds"],
    queryFn: () => idp.health.feeds(),
  });
  return (
    <>
      <PageHead title={texts.pages.feeds} lead={words.lead} />
      {isPending ? <Loading /> : null}
      {error === null ? null : <Failure error={error} onRetry={() => void refetch()} />}
      {data === undefined ? null : (
        <div className="stack">
          <p>
            {words.built}: <Time at={data.built_at} />
          </p>
          {data.degraded.length === 0 ? null : (
            <p className="callout callout-warning">{words.degraded(data.degraded.join(", "))}</p>
          )}
          {data.feeds.length === 0 ? (
            <Empty title={words.empty} hint={words.emptyHint} />
          ) : (
            <DataTable
              caption={texts.pages.feeds}
              columns={columns}
              rows={data.feeds}
              rowId={({ name }) => name}
            />
          )}
        </div>
      )}
    </>
  );
}
