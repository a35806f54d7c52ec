/** A list that the service hands out page by page. The page stands in the address bar, so the back button works. */
import type { Pages } from "@edge-idp/sdk";
import { keepPreviousData, type UseQueryResult, useQuery } from "@tanstack/react-query";
import type { ReactNode } from "react";
import { useFilters } from "../navigation/fragment-location.ts";
import { useSession } from "../session/session-context.ts";
import { texts } from "../texts/en.ts";
import { type Column, DataTable } from "./data-table.tsx";
import { type ListPage, readFilledPage } from "./filled-page.ts";
import { Empty, Failure, Loading } from "./states.tsx";

/** Reads the page of a list that the address names. @param key names the list with its filters */
export function usePage<Item>(
  key: readonly unknown[],
  size: number,
  list: () => Pages<Item>,
  refetchInterval?: number,
): UseQueryResult<ListPage<Item>> {
  const session = useSession();
  const after = useFilters().get("after");
  return useQuery({
    queryKey: [session.id, ...key, after],
    queryFn: () => readFilledPage(list(), size, after),
    placeholderData: keepPreviousData,
    ...(refetchInterval === undefined ? {} : { refetchInterval }),
  });
}

/** The search may go on. */
const noneSoFar = { title: texts.common.noneSoFar, hint: texts.common.noneSoFarHint };

interface PagedListProps<Item> {
  readonly query: UseQueryResult<ListPage<Item>>;
  readonly caption: string;
  readonly columns: readonly Column<Item>[];
  readonly rowId: (item: Item) => string;
  readonly selected?: string | undefined;
  readonly empty: { readonly title: string; readonly hint: string };
  readonly children?: ReactNode;
}

export function PagedList<Item extends object>(props: PagedListProps<Item>) {
  const { query, caption, columns, rowId, selected, empty } = props;
  const filters = useFilters();
  const { data, error, isPending, isPlaceholderData, refetch } = query;
  if (isPending) return <Loading />;
  if (error !== null) return <Failure error={error} onRetry={() => void refetch()} />;
  const { items, next_after: next } = data;
  const isFirst = filters.get("after") === undefined;
  return (
    <div aria-busy={isPlaceholderData} className={isPlaceholderData ? "stale" : undefined}>
      {items.length === 0 ? (
        <Empty {...(next === null ? empty : noneSoFar)} />
      ) : (
        <DataTable {...{ caption, columns, rowId, selected }} rows={items} />
      )}
      {isFirst && next === null ? null : (
        <nav className="pager" aria-label={caption}>
          <button
            type="button"
            disabled={isFirst}
            onClick={() => filters.change({ after: undefined })}
          >
            {texts.common.first}
          </button>
          <button
            type="button"
            disabled={next === null}
            onClick={() => filters.change({ after: next ?? undefined })}
          >
            {items.length === 0 ? texts.common.searchOn : texts.common.next}
          </button>
        </nav>
      )}
    </div>
  );
}
