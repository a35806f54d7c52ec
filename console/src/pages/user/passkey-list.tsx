import type { Passkey } from "@edge-idp/sdk";
import { getPasskey } from "@edge-idp/sdk/browser";
import { useState } from "react";
import { ActButton } from "../../parts/act-button.tsx";
import { Badge } from "../../parts/badge.tsx";
import { Confirm } from "../../parts/confirm.tsx";
import { useNotify } from "../../parts/notice.tsx";
import { Time } from "../../parts/time.tsx";
import { useIdp } from "../../session/session-context.ts";
import { texts } from "../../texts/en.ts";
import { AddPasskey } from "./add-passkey.tsx";
import { RemovableList } from "./removable-list.tsx";
import { useRefreshUser, useUserQuery } from "./user-query.ts";

const words = texts.user.passkeys;

/** The name of a passkey, or a word in its place. */
function nameOf({ name }: Passkey): string {
  return name === "" ? words.unnamed : name;
}

function describe(passkey: Passkey) {
  const hint = (
    <>
      <code>{passkey.rp_id}</code> · {words.registered}: <Time at={passkey.created_at} onlyDay />
      {" · "}
      {words.lastUsed}: <Time at={passkey.last_used_at} />
    </>
  );
  const badges = <Badge>{passkey.backed_up ? words.synced : words.oneDevice}</Badge>;
  return { id: passkey.id, name: nameOf(passkey), badges, hint };
}

export function PasskeyList({ externalId }: { readonly externalId: string }) {
  const idp = useIdp();
  const notify = useNotify();
  const refresh = useRefreshUser(externalId);
  const [isAdding, setAdding] = useState(false);
  const [removed, setRemoved] = useState<Passkey>();
  const query = useUserQuery(externalId, "passkeys", () => idp.passkeys.list(externalId));
  const passkeys = query.data?.passkeys ?? [];
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
    <RemovableList
      title={words.title}
      actions={buttons}
      query={query}
      items={passkeys}
      describe={describe}
      empty={words.empty}
      remove={words.remove}
      onRemove={setRemoved}
    >
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
    </RemovableList>
  );
}
