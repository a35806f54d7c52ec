import type { ApiToken } from "@edge-idp/sdk";
import { useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { Badge } from "../../parts/badge.tsx";
import { Confirm } from "../../parts/confirm.tsx";
import type { Column } from "../../parts/data-table.tsx";
import { Name } from "../../parts/name.tsx";
import { useNotify } from "../../parts/notice.tsx";
import { PagedList, usePage } from "../../parts/paged-list.tsx";
import { PageHead } from "../../parts/section.tsx";
import { Time } from "../../parts/time.tsx";
import { usePermissions, useSession } from "../../session/session-context.ts";
import { texts } from "../../texts/en.ts";
import { CreateToken } from "./create-token.tsx";
import { IssuedToken } from "./issued-token.tsx";
import { RotateToken } from "./rotate-token.tsx";

const words = texts.tokens;
const pageSize = 50;

type Act = { readonly kind: "rotate" | "revoke"; readonly token: ApiToken };

export function createTokenColumns(
  ownId: string | undefined,
  act: ((act: Act) => void) | undefined,
): readonly Column<ApiToken>[] {
  const columns: readonly Column<ApiToken>[] = [
    {
      id: "name",
      header: words.name,
      cell: ({ id, name }) => (
        <span className="badges">
          <Name>{name}</Name>
          {id === ownId ? <Badge tone="good">{words.own}</Badge> : null}
        </span>
      ),
    },
    {
      id: "permissions",
      header: words.permissions,
      cell: ({ permissions }) => (
        <span className="badges">
          {permissions.map((permission) => (
            <Badge key={permission}>{permission}</Badge>
          ))}
        </span>
      ),
    },
    {
      id: "created",
      header: words.created,
      cell: (token) => <Time at={token.created_at} onlyDay />,
    },
    { id: "expires", header: words.expires, cell: (token) => <Time at={token.expires_at} /> },
    { id: "used", header: words.lastUsed, cell: (token) => <Time at={token.last_used_at} /> },
  ];
  if (act === undefined) return columns;
  const button = (kind: Act["kind"], label: string, token: ApiToken) => (
    <button type="button" className="small" onClick={() => act({ kind, token })}>
      {label}
      <span className="hidden-label"> {token.name}</span>
    </button>
  );
  return [
    ...columns,
    {
      id: "acts",
      header: texts.common.columnActions,
      cell: (token) => (
        <span className="row">
          {button("rotate", words.rotate, token)}
          {button("revoke", words.revoke, token)}
        </span>
      ),
    },
  ];
}

export default function TokensPage() {
  const { id, idp, tenant, end } = useSession();
  const can = usePermissions();
  const client = useQueryClient();
  const notify = useNotify();
  const [isCreating, setCreating] = useState(false);
  const [asked, setAsked] = useState<Act>();
  const [secret, setSecret] = useState<string>();
  const query = usePage(["tokens"], pageSize, () => idp.tokens.list({ limit: pageSize }));
  const refresh = () => client.invalidateQueries({ queryKey: [id, "tokens"] });
  const mayChange = can("tokens:write");
  const close = () => setAsked(undefined);
  const showSecret = async (text: string) => {
    setSecret(text);
    await refresh();
  };
  const revoke = async (token: ApiToken) => {
    await idp.tokens.revoke(token.id);
    if (token.id === tenant?.id) return end(texts.signIn.ended);
    await refresh();
    notify(words.revoked);
  };
  return (
    <>
      <PageHead title={texts.pages.tokens} lead={words.lead}>
        {mayChange ? (
          <button type="button" className="primary" onClick={() => setCreating(true)}>
            {words.create}
          </button>
        ) : null}
      </PageHead>
      <PagedList
        query={query}
        caption={texts.pages.tokens}
        columns={createTokenColumns(tenant?.id, mayChange ? setAsked : undefined)}
        rowId={(token) => token.id}
        empty={{ title: words.empty, hint: words.lead }}
      />
      {isCreating ? (
        <CreateToken
          create={(token) => idp.tokens.create(token)}
          onSecret={showSecret}
          onClose={() => setCreating(false)}
        />
      ) : null}
      {asked?.kind === "rotate" ? (
        <RotateToken token={asked.token} onSecret={showSecret} onClose={close} />
      ) : null}
      {asked?.kind === "revoke" ? (
        <Confirm
          title={words.revokeTitle(asked.token.name)}
          hint={asked.token.id === tenant?.id ? words.revokeOwnHint : words.revokeHint}
          action={words.revoke}
          act={() => revoke(asked.token)}
          onClose={close}
        />
      ) : null}
      {secret === undefined ? null : (
        <IssuedToken secret={secret} onClose={() => setSecret(undefined)} />
      )}
    </>
  );
}
