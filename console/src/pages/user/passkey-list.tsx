import type { Passkey } from "@edge-idp/sdk";
import { getPasskey } from "@edge-idp/sdk/browser";
import { useState } from "react";
import { ActButton } from "../../parts/act-button.tsx";
import { Badge } from "../../parts/badge.tsx";
import { Confirm } from "../../parts/dialog.tsx";
import { Name } from "../../parts/name.tsx";
import { useNotify } from "../../parts/notice.tsx";
import { Section } from "../../parts/section.tsx";
import { Failure, Loading } from "../../parts/states.tsx";
import { Time } from "../../parts/time.tsx";
import { useIdp, usePermissions } from "../../session/session-context.ts";
import { texts } from "../../texts/en.ts";
import { AddPasskey } from "./add-passkey.tsx";
import { useRefreshUser, useUserQuery } from "./user-query.ts";

const words = texts.user.passkeys;

/** The name of a passkey, or a word in its place. */
function nameOf({ name }: Passkey): string {
  return name === "" ? words.unnamed : name;
}

export function PasskeyList({ externalId }: { readonly externalId: string }) {
  const idp = useIdp();
  const can = usePermissions();
  const notify = useNotify();
  const refresh = useRefreshUser(externalId);
  const [isAdding, setAdding] = useState(false);
  const [removed, setRemoved] = useState<Passkey>();
  const query = useUserQuery(externalId, "passkeys", () => idp.passkeys.list(externalId));
  const { data, error, isPending, refetch } = query;
  const passkeys = data?.passkeys ?? [];
  const check = async () => {
    const { public_key } = await idp.passkeys.createAuthenticationOptions({ id: externalId });
    const credential = await getPasskey(public_key);
    const { challenge } = public_key;
    await idp.passkeys.verify({ challenge, credential, id: externalId });
    await refresh();
  };
  const remove = async ({ id }: Passkey) => {
    await idp.passkeys.remove(externalId, id);
    await refresh();
    notify(words.removed);
  };
  const buttons = (
    <>
      {passkeys.length === 0 ? null : (
        <ActButton act={check} done={words.checked}>
          {words.check}
        </ActButton>
      )}
      <button type="button" onClick={() => setAdding(true)}>
        {words.add}
      </button>
    </>
  );
  return (
    <Section title={words.title} actions={can("idp:write") ? buttons : null}>
      {isPending ? <Loading /> : null}
      {error === null ? null : <Failure error={error} onRetry={() => void refetch()} />}
      {!isPending && error === null && passkeys.length === 0 ? (
        <p className="faint">{words.empty}</p>
      ) : null}
      <ul className="list">
        {passkeys.map((one) => (
          <li key={one.id}>
            <div>
              <Name>{nameOf(one)}</Name>{" "}
              <Badge>{one.backed_up ? words.synced : words.oneDevice}</Badge>
              <p className="hint">
                <code>{one.rp_id}</code> · {words.registered}: <Time at={one.created_at} onlyDay />
                {" · "}
                {words.lastUsed}: <Time at={one.last_used_at} />
              </p>
            </div>
            {can("idp:write") ? (
              <button type="button" className="small" onClick={() => setRemoved(one)}>
                {words.remove}
                <span className="hidden-label"> {nameOf(one)}</span>
              </button>
            ) : null}
          </li>
        ))}
      </ul>
      {isAdding ? <AddPasskey externalId={externalId} onClose={() => setAdding(false)} /> : null}
      {removed === undefined ? null : (
        <Confirm
          title={words.removeTitle(nameOf(removed))}
          hint={words.removeHint}
          action={words.remove}
          act={() => remove(removed)}
          onClose={() => setRemoved(undefined)}
        />
      )}
    </Section>
  );
}
