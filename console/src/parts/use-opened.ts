/** The item of a list that the reader looks at. It stands in the address, so it can be shared. */
import type { Pages } from "@edge-idp/sdk";
import { useQuery } from "@tanstack/react-query";
import { useFilters } from "../navigation/fragment-location.ts";
import { useSession } from "../session/session-context.ts";

interface Period {
  readonly from: string;
  readonly to: string;
}

interface OpenedOptions<Item> {
  /** Names the list. */
  readonly key: string;
  /** The items that are listed at the moment. */
  readonly items: readonly Item[] | undefined;
  readonly idOf: (item: Item) => string;
  /** Lists the items of a time, to find one that the page does not list. */
  readonly find: (period: Period) => Pages<Item>;
}

/** The millisecond of a time. @throws RangeError for a text that is no time */
function periodOf(at: string): Period {
  const time = Date.parse(at);
  return { from: new Date(time).toISOString(), to: new Date(time + 1).toISOString() };
}

export function useOpened<Item extends { readonly at: string }>(options: OpenedOptions<Item>) {
  const { key, items, idOf, find } = options;
  const { id: sessionId } = useSession();
  const filters = useFilters();
  const [id, at] = [filters.get("id"), filters.get("at")];
  const listed = items?.find((item) => idOf(item) === id);
  const isElsewhere = id !== undefined && items !== undefined && listed === undefined;
  const { data } = useQuery({
    queryKey: [sessionId, key, "one", id, at],
    enabled: isElsewhere && at !== undefined,
    queryFn: async () => {
      for await (const item of find(periodOf(at ?? ""))) if (idOf(item) === id) return item;
      return null;
    },
  });
  return {
    opened: listed ?? (isElsewhere ? (data ?? undefined) : undefined),
    open: (item: Item) => filters.change({ id: idOf(item), at: item.at }, { keepsPage: true }),
    close: () => filters.change({ id: undefined, at: undefined }, { keepsPage: true }),
  };
}
