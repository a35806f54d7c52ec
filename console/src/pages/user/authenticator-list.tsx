import type { Authenticator, Profile } from "@edge-idp/sdk";
import { useState } from "react";
import { Badge } from "../../parts/badge.tsx";
import { Confirm } from "../../parts/dialog.tsx";
import { Name } from "../../parts/name.tsx";
import { useNotify } from "../../parts/notice.tsx";
import { Section } from "../../parts/section.tsx";
import { Failure, Loading } from "../../parts/states.tsx";
import { Time } from "../../parts/time.tsx";
import { useIdp, usePermissions } from "../../session/session-context.ts";
import { texts } from "../../texts/en.ts";
import { Enrol } from "./enrol.tsx";
import { useRefreshUser, useUserQuery } from "./user-query.ts";

const words = texts.user.authenticators;

export function AuthenticatorList({ profile }: { readonly profile: Profile }) {
  const id = profile.external_id;
  const idp = useIdp();
  const can = usePermissions();
  const notify = useNotify();
  const refresh = useRefreshUser(id);
  const [enrolling, setEnrolling] = useState<"primary" | "another">();
  const [removed, setRemoved] = useState<Authenticator>();
  const query = useUserQuery(id, "authenticators", () => idp.authenticators.list(id));
  const { data: authenticators = [], error, isPending, refetch } = query;
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
    <Section title={words.title} actions={can("idp:write") ? enrolButtons : null}>
      {isPending ? <Loading /> : null}
      {error === null ? null : <Failure error={error} onRetry={() => void refetch()} />}
      {!isPending && error === null && authenticators.length === 0 ? (
        <p className="faint">{words.empty}</p>
      ) : null}
      <ul className="list">
        {authenticators.map((one) => (
          <li key={one.id}>
            <div>
              <Name>{one.name}</Name>{" "}
              <span className="badges">
                {one.is_primary ? <Badge>{words.primary}</Badge> : null}
                <Badge tone={one.status === "active" ? "good" : "warning"}>
                  {one.status === "active" ? words.active : words.pending}
                </Badge>
              </span>
              <p className="hint">
                {words.lastUsed}: <Time at={one.last_used_at} />
              </p>
            </div>
            {can("idp:write") ? (
              <button type="button" className="small" onClick={() => setRemoved(one)}>
                {words.remove}
                <span className="hidden-label"> {one.name}</span>
              </button>
            ) : null}
          </li>
        ))}
      </ul>
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
    </Section>
  );
}
