import type { ListedUser } from "@edge-idp/sdk";
import { useState } from "react";
import { hrefOf, useFilters } from "../../navigation/fragment-location.ts";
import type { Column } from "../../parts/data-table.tsx";
import { FilterBar, SelectFilter, TextFilter } from "../../parts/filter-bar.tsx";
import { Name } from "../../parts/name.tsx";
import { PagedList, usePage } from "../../parts/paged-list.tsx";
import { PageHead } from "../../parts/section.tsx";
import { Time } from "../../parts/time.tsx";
import { useIdp, usePermissions } from "../../session/session-context.ts";
import { texts } from "../../texts/en.ts";
import { AddUser } from "./add-user.tsx";
import { Factors, UserStatus } from "./user-badges.tsx";

const words = texts.users;
const pageSize = 50;
const statuses = ["active", "locked", "suspended"] as const;
const factors = { true: words.withFactor, false: words.withoutFactor };

const columns: readonly Column<ListedUser>[] = [
  {
    id: "external_id",
    header: texts.common.externalId,
    cell: ({ external_id: id }) => (
      <a href={hrefOf("/user", { id })}>
        <Name>{id}</Name>
      </a>
    ),
  },
  {
    id: "status",
    header: words.status,
    cell: ({ status }) => <UserStatus status={status} />,
  },
  { id: "factors", header: words.otp, cell: (user) => <Factors user={user} /> },
  { id: "created", header: words.created, cell: (user) => <Time at={user.created_at} /> },
];

/** `true` and `false` of the address bar. */
function parseFlag(text: string | undefined): boolean | undefined {
  return text === undefined ? undefined : text === "true";
}

export default function UsersPage() {
  const idp = useIdp();
  const can = usePermissions();
  const filters = useFilters();
  const [isAdding, setAdding] = useState(false);
  const status = statuses.find((one) => one === filters.get("status"));
  const external_id_contains = filters.get("search");
  const has_otp = parseFlag(filters.get("app"));
  const has_passkeys = parseFlag(filters.get("passkeys"));
  const wanted = {
    limit: pageSize,
    ...(status === undefined ? {} : { status }),
    ...(external_id_contains === undefined ? {} : { external_id_contains }),
    ...(has_otp === undefined ? {} : { has_otp }),
    ...(has_passkeys === undefined ? {} : { has_passkeys }),
  };
  const query = usePage(["users", wanted], pageSize, () => idp.users.list(wanted));
  return (
    <>
      <PageHead title={texts.pages.users} lead={words.lead}>
        {can("idp:write") ? (
          <button type="button" className="primary" onClick={() => setAdding(true)}>
            {words.add}
          </button>
        ) : null}
      </PageHead>
      <FilterBar>
        <TextFilter name="search" label={words.search} hint={words.searchHint} />
        <SelectFilter name="status" label={words.status} options={words.statuses} />
        <SelectFilter name="app" label={words.otp} options={factors} />
        <SelectFilter name="passkeys" label={words.passkeys} options={factors} />
      </FilterBar>
      <PagedList
        query={query}
        caption={texts.pages.users}
        columns={columns}
        rowId={({ id }) => id}
        empty={{ title: words.empty, hint: words.emptyHint }}
      />
      {isAdding ? <AddUser onClose={() => setAdding(false)} /> : null}
    </>
  );
}
