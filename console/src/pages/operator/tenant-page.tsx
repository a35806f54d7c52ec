import type { ApiToken, Tenant } from "@edge-idp/sdk";
import { useQuery, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { useFilters } from "../../navigation/fragment-location.ts";
import { Confirm } from "../../parts/confirm.tsx";
import { DataTable } from "../../parts/data-table.tsx";
import { Name } from "../../parts/name.tsx";
import { useNotify } from "../../parts/notice.tsx";
import { Facts, PageHead, Section } from "../../parts/section.tsx";
import { Failure, Loading } from "../../parts/states.tsx";
import { Time } from "../../parts/time.tsx";
import { useSession } from "../../session/session-context.ts";
import { texts } from "../../texts/en.ts";
import { wordsFor } from "../../texts/words-for.ts";
import { CreateToken } from "../tokens/create-token.tsx";
import { IssuedToken } from "../tokens/issued-token.tsx";
import { createTokenColumns } from "../tokens/tokens-page.tsx";
import { TenantActions } from "./tenant-actions.tsx";
import { describeUsers, TenantStatus } from "./tenants-page.tsx";
import { Usage } from "./usage.tsx";

const words = texts.operator.tenant;
const listWords = texts.operator.tenants;

function TenantTokens({ id }: { readonly id: string }) {
  const { idp } = useSession();
  const client = useQueryClient();
  const notify = useNotify();
  const [isCreating, setCreating] = useState(false);
  const [secret, setSecret] = useState<string>();
  const [revoked, setRevoked] = useState<ApiToken>();
  const queryKey = ["operator", "tenant", id, "tokens"];
  const tokens = idp.tenants.tokens(id);
  const { data, error, isPending, refetch } = useQuery({
    queryKey,
    queryFn: () => tokens.list({ limit: 100 }).page(),
  });
  const refresh = () => client.invalidateQueries({ queryKey });
  const columns = createTokenColumns(undefined, undefined);
  return (
    <Section
      title={words.tokens}
      actions={
        <button type="button" onClick={() => setCreating(true)}>
          {words.newToken}
        </button>
      }
    >
      {isPending ? <Loading /> : null}
      {error === null ? null : <Failure error={error} onRetry={() => void refetch()} />}
      {data === undefined ? null : (
        <DataTable
          caption={words.tokens}
          rows={data.items}
          rowId={(token) => token.id}
          columns={[
            ...columns,
            {
              id: "acts",
              header: texts.common.columnActions,
              cell: (token) => (
                <button type="button" className="small" onClick={() => setRevoked(token)}>
                  {texts.tokens.revoke}
                  <span className="hidden-label"> {token.name}</span>
                </button>
              ),
            },
          ]}
        />
      )}
      {isCreating ? (
        <CreateToken
          create={(token) => tokens.create(token)}
          onSecret={async (text) => {
            setSecret(text);
            await refresh();
          }}
          onClose={() => setCreating(false)}
        />
      ) : null}
      {secret === undefined ? null : (
        <IssuedToken secret={secret} onClose={() => setSecret(undefined)} />
      )}
      {revoked === undefined ? null : (
        <Confirm
          title={texts.tokens.revokeTitle(revoked.name)}
          hint={texts.tokens.revokeHint}
          action={texts.tokens.revoke}
          act={async () => {
            await tokens.revoke(revoked.id);
            await refresh();
            notify(texts.tokens.revoked);
          }}
          onClose={() => setRevoked(undefined)}
        />
      )}
    </Section>
  );
}

function TenantState({ tenant }: { readonly tenant: Tenant }) {
  return (
    <Section title={words.title} actions={<TenantStatus status={tenant.status} />}>
      <Facts
        facts={[
          [words.id, <code key="i">{tenant.id}</code>],
          [listWords.mode, wordsFor(listWords.modes, tenant.mode)],
          [listWords.users, describeUsers(tenant)],
          [listWords.jurisdiction, tenant.jurisdiction ?? listWords.anywhere],
          [listWords.shard, tenant.shard],
          [listWords.created, <Time key="c" at={tenant.created_at} />],
          ...(tenant.suspended_at === null
            ? []
            : [[words.suspendedAt, <Time key="s" at={tenant.suspended_at} />] as const]),
        ]}
      />
    </Section>
  );
}

export default function TenantPage() {
  const { idp } = useSession();
  const id = useFilters().get("id") ?? "";
  const client = useQueryClient();
  const queryKey = ["operator", "tenant", id, "state"];
  const { data, error, isPending, refetch } = useQuery({
    queryKey,
    queryFn: () => idp.tenants.get(id),
  });
  if (isPending) return <Loading />;
  if (error !== null) return <Failure error={error} onRetry={() => void refetch()} />;
  return (
    <>
      <PageHead title={<Name whole>{data.name}</Name>}>
        <TenantActions tenant={data} onChanged={() => client.invalidateQueries({ queryKey })} />
      </PageHead>
      <div className="stack">
        <TenantState tenant={data} />
        <Usage id={id} />
        <TenantTokens id={id} />
      </div>
    </>
  );
}
