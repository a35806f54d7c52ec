import type { UseQueryResult } from "@tanstack/react-query";
import type { ReactNode } from "react";
import { Name } from "../../parts/name.tsx";
import { Section } from "../../parts/section.tsx";
import { Failure, Loading } from "../../parts/states.tsx";
import { usePermissions } from "../../session/session-context.ts";

interface Row {
  readonly id: string;
  readonly name: string;
  readonly badges?: ReactNode;
  readonly hint: ReactNode;
}

interface RemovableListProps<Item> {
  readonly title: string;
  /** Shown with the permission `idp:write` alone. */
  readonly actions: ReactNode;
  readonly query: Pick<UseQueryResult, "error" | "isPending" | "refetch">;
  readonly items: readonly Item[];
  readonly describe: (item: Item) => Row;
  readonly empty: string;
  /** The word on the button of each row, which needs the permission `idp:write`. */
  readonly remove: string;
  readonly onRemove: (item: Item) => void;
  /** The dialogs. */
  readonly children: ReactNode;
}

/** What a user owns, one row each: authenticator apps, passkeys, known devices. */
export function RemovableList<Item>(props: RemovableListProps<Item>) {
  const { title, actions, query, items, describe, empty, remove, onRemove, children } = props;
  const { error, isPending, refetch } = query;
  const mayWrite = usePermissions()("idp:write");
  return (
    <Section title={title} actions={mayWrite ? actions : null}>
      {isPending ? <Loading /> : null}
      {error === null ? null : <Failure error={error} onRetry={() => void refetch()} />}
      {!isPending && error === null && items.length === 0 ? <p className="faint">{empty}</p> : null}
      <ul className="list">
        {items.map((item) => {
          const { id, name, badges, hint } = describe(item);
          return (
            <li key={id}>
              <div>
                <Name>{name}</Name> {badges}
                <p className="hint">{hint}</p>
              </div>
              {mayWrite ? (
                <button type="button" className="small" onClick={() => onRemove(item)}>
                  {remove}
                  <span className="hidden-label"> {name}</span>
                </button>
              ) : null}
            </li>
          );
        })}
      </ul>
      {children}
    </Section>
  );
}
