import type { Profile } from "@edge-idp/sdk";
import { useState } from "react";
import { navigate } from "../../navigation/fragment-location.ts";
import { ActButton } from "../../parts/act-button.tsx";
import { Confirm } from "../../parts/confirm.tsx";
import { useNotify } from "../../parts/notice.tsx";
import { useIdp } from "../../session/session-context.ts";
import { texts } from "../../texts/en.ts";
import { useRefreshUser } from "./user-query.ts";

const words = texts.user;

export function UserActions({ profile }: { readonly profile: Profile }) {
  const id = profile.external_id;
  const idp = useIdp();
  const notify = useNotify();
  const refresh = useRefreshUser(id);
  const [asked, setAsked] = useState<"suspend" | "erase">();
  const close = () => setAsked(undefined);
  const isSuspended = profile.status === "suspended";
  const then = (work: Promise<unknown>) => work.then(refresh);
  return (
    <>
      {profile.is_locked ? (
        <ActButton act={() => then(idp.users.unlock(id))} done={words.unlocked} className="primary">
          {words.unlock}
        </ActButton>
      ) : null}
      {isSuspended ? (
        <ActButton act={() => then(idp.users.reactivate(id))} done={words.reactivated}>
          {words.reactivate}
        </ActButton>
      ) : (
        <button type="button" onClick={() => setAsked("suspend")}>
          {words.suspend}
        </button>
      )}
      <button type="button" className="danger" onClick={() => setAsked("erase")}>
        {words.erase}
      </button>
      {asked === "suspend" ? (
        <Confirm
          title={words.suspendTitle}
          hint={words.suspendHint}
          action={words.suspend}
          onClose={close}
          act={async () => {
            await idp.users.suspend(id);
            await refresh();
            notify(words.suspended);
          }}
        />
      ) : null}
      {asked === "erase" ? (
        <Confirm
          title={words.eraseTitle}
          hint={words.eraseHint}
          action={words.erase}
          typed={id}
          onClose={close}
          act={async () => {
            await idp.users.erase(id);
            notify(words.erased);
            navigate("/users");
          }}
        />
      ) : null}
    </>
  );
}
