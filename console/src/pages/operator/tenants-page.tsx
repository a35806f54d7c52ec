import type { CreatedTenant, Tenant } from "@edge-idp/sdk";
import { useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { hrefOf, useFilters } from "../../navigation/fragment-location.ts";
import { Badge, type Tone } from "../../parts/badge.tsx";
import type { Column } from "../../parts/data-table.tsx";
import { FilterBar, SelectFilter } from "../../parts/filter-bar.tsx";
import { Name } from "../../parts/name.tsx";
import { PagedList, usePage } from "../../parts/paged-list.tsx";
import { PageHead } from "../../parts/section.tsx";
import { Time } from "../../parts/time.tsx";
import { useSession } from "../../session/session-context.ts";
import { texts } from "../../texts/en.ts";
import { wordsFor } from "../../texts/words-for.ts";
import { IssuedToken } from "../tokens/issued-token.tsx";
import { CreateTenant } from "./create-tenant.tsx";

const words = texts.operator.tenants;
const pageSize = 50;
const statuses = ["active", "suspended", "deleting"] as const;
const tones: Readonly<Record<string, Tone>> = {
  active: "good",
  suspended: "warning",
  deleting: "bad",
};

export function TenantStatus({ status }: { readonly status: string }) {
  return <Badge tone={tones[status] ?? "plain"}>{wordsFor(words.statuses, status)}</Badge>;
}

export function describeUsers({ users, users_estimated }: Tenant): string {
  if (users === null) return texts.common.none;
  return users_estimated ? words.estimated(users) : users.toLocaleString("en");
}

const columns: readonly Column<Tenant>[] = [
  {
    id: "name",
    header: words.name,
    cell: ({ id, name }) => (
      <a href={hrefOf("/tenant", { id })}>
        <Name>{name}</Name>
      </a>
    ),
  },
  { id: "mode", header: words.mode, cell: ({ mode }) => wordsFor(words.modes, mode) },
  { id: "status", header: words.status, cell: ({ status }) => <TenantStatus status={status} /> },
  { id: "users", header: words.users, isNumber: true, cell: describeUsers },
  { id: "created", header: words.created, cell: (tenant) => <Time at={tenant.created_at} /> },
];

export default function TenantsPage() {
  const { id, idp } = useSession();
  const filters = useFilters();
  const client = useQueryClient();
  const [isCreating, setCreating] = useState(false);
  const [created, setCreated] = useState<CreatedTenant>();
  const status = statuses.find((one) => one === filters.get("status"));
  const wanted = { limit: pageSize, ...(status === undefined ? {} : { status }) };
  const query = usePage(["tenants", wanted], pageSize, () => idp.tenants.list(wanted));
  const show = async (result: CreatedTenant) => {
    setCreated(result);
    await client.invalidateQueries({ queryKey: [id, "tenants"] });
  };
  return (
    <>
      <PageHead title={texts.pages.tenants} lead={words.lead}>
        <button type="button" className="primary" onClick={() => setCreating(true)}>
          {words.create}
        </button>
      </PageHead>
      <FilterBar>
        <SelectFilter name="status" label={words.status} options={words.statuses} />
      </FilterBar>
      <PagedList
        query={query}
        caption={texts.pages.tenants}
        columns={columns}
        rowId={(tenant) => tenant.id}
        empty={{ title: words.empty, hint: words.emptyHint }}
      />
      {isCreating ? <CreateTenant onCreated={show} onClose={() => setCreating(false)} /> : null}
      {created === undefined ? null : (
        <IssuedToken
          title={words.createdTitle}
          secret={created.token.secret}
          onClose={() => setCreated(undefined)}
        />
      )}
    </>
  );
}
