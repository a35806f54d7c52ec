import type { Authenticator, Profile } from "@edge-idp/sdk";
import { useState } from "react";
import { Badge } from "../../parts/badge.tsx";
import { Confirm } from "../../parts/confirm.tsx";
import { useNotify } from "../../parts/notice.tsx";
import { Time } from "../../parts/time.tsx";
import { useIdp } from "../../session/session-context.ts";
import { texts } from "../../texts/en.ts";
import { Enrol } from "./enrol.tsx";
import { RemovableList } from "./removable-list.tsx";
import { useRefreshUser, useUserQuery } from "./user-query.ts";

const words = texts.user.authenticators;

function describe({ id, name, is_primary, status, last_used_at }: Authenticator) {
  const badges = (
    <span className="badges">
      {is_primary ? <Badge>{words.primary}</Badge> : null}
      <Badge tone={status === "active" ? "good" : "warning"}>
        {status === "active" ? words.active : words.pending}
      </Badge>
    </span>
  );
  const hint = (
    <>
      {words.lastUsed}: <Time at={last_used_at} />
    </>
  );
  return { id, name, badges, hint };
}

export function AuthenticatorList({ profile }: { readonly profile: Profile }) {
  const id = profile.external_id;
  const idp = useIdp();
  const notify = useNotify();
  const refresh = useRefreshUser(id);
  const [enrolling, setEnrolling] = useState<"primary" | "another">();
  const [removed, setRemoved] = useState<Authenticator>();
  const query = useUserQuery(id, "authenticators", () => idp.authenticators.list(id));
  const hasPrimary = profile.otp_status !== "none";
  const remove = async ({ id: authenticatorId, is_primary }: Authenticator) => {
    await (is_primary ? idp.otp.remove(id) : idp.authenticators.remove(id, authenticatorId));
    await refresh();
    notify(words.removed);
  };
  const enrolButtons = (
    <>
      <button type="button" onClick={() => setEnrolling("primary")}>
        {hasPrimary ? words.replace : words.enrol}
      </button>
      {hasPrimary ? (
        <button type="button" onClick={() => setEnrolling("another")}>
          {words.add}
        </button>
      ) : null}
    </>
  );
  return (
    <RemovableList
      title={words.title}
      actions={enrolButtons}
      query={query}
      items={query.data ?? []}
      describe={describe}
      empty={words.empty}
      remove={words.remove}
      onRemove={setRemoved}
    >
      {enrolling === undefined ? null : (
        <Enrol
          profile={profile}
          isPrimary={enrolling === "primary"}
          onClose={() => setEnrolling(undefined)}
        />
      )}
      {removed === undefined ? null : (
        <Confirm
          title={words.removeTitle(removed.name)}
          hint={removed.is_primary ? words.removePrimaryHint : words.removeHint}
          action={words.remove}
          act={() => remove(removed)}
          onClose={() => setRemoved(undefined)}
        />
      )}
    </RemovableList>
  );
}
