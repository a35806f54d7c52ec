/**
 * The place in the console is the fragment of the address, such as `#/users?status=locked`. A browser sends no fragment,
 * so no log on the way has a user's id or an address that somebody looked for.
 */
import { useMemo, useSyncExternalStore } from "react";

function subscribe(onChange: () => void): () => void {
  addEventListener("hashchange", onChange);
  return () => removeEventListener("hashchange", onChange);
}

/** `#/users?status=locked` as `/users?status=locked`. */
function readFragment(): string {
  const fragment = location.hash.slice(1);
  return fragment.startsWith("/") ? fragment : "/";
}

function useFragment(): string {
  return useSyncExternalStore(subscribe, readFragment);
}

interface NavigateOptions {
  /** Takes the place of the current entry in the history. */
  readonly replace?: boolean;
}

/** Goes to a place, such as `/users?status=locked`. */
export function navigate(to: string, { replace = false }: NavigateOptions = {}): void {
  if (to === readFragment()) return;
  const previous = location.href;
  if (replace) {
    history.replaceState(null, "", `#${to}`);
    dispatchEvent(new HashChangeEvent("hashchange", { oldURL: previous, newURL: location.href }));
  } else {
    location.hash = to;
  }
}

/** The path of the place, without the filters. */
export function usePath(): string {
  return useFragment().split("?")[0] ?? "/";
}

/** The address of a place, for links. */
export function hrefOf(path: string, filters: Filters = {}): string {
  return `#${placeOf(path, filters)}`;
}

export type Filters = Readonly<Record<string, string | undefined>>;

/** A place with its filters, for `navigate`. */
export function placeOf(path: string, filters: Filters): string {
  const query = new URLSearchParams();
  for (const [name, value] of Object.entries(filters)) {
    if (value !== undefined && value !== "") query.set(name, value);
  }
  const text = query.toString();
  return text === "" ? path : `${path}?${text}`;
}

interface ChangeOptions extends NavigateOptions {
  /** Whether the list stays at its page. */
  readonly keepsPage?: boolean;
}

export interface PlaceFilters {
  readonly get: (name: string) => string | undefined;
  /** Changes some filters and keeps the others. The list goes back to its first page, unless `keepsPage` is set. */
  readonly change: (changes: Filters, options?: ChangeOptions) => void;
}

/** The filters in the address bar. */
export function useFilters(): PlaceFilters {
  const fragment = useFragment();
  return useMemo(() => {
    const [path = "/", query = ""] = fragment.split("?");
    const current = new URLSearchParams(query);
    return {
      get: (name) => current.get(name) ?? undefined,
      change: (changes, options) => {
        const { after, ...others } = Object.fromEntries(current);
        const kept = options?.keepsPage ? { after, ...others } : others;
        navigate(placeOf(path, { ...kept, ...changes }), options);
      },
    };
  }, [fragment]);
}
