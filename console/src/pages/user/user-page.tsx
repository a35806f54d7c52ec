import { IdpError } from "@edge-idp/sdk";
import { hrefOf, useFilters } from "../../navigation/fragment-location.ts";
import { Name } from "../../parts/name.tsx";
import { PageHead } from "../../parts/section.tsx";
import { Empty, Failure, Loading } from "../../parts/states.tsx";
import { usePermissions } from "../../session/session-context.ts";
import { texts } from "../../texts/en.ts";
import { AuthenticatorList } from "./authenticator-list.tsx";
import { BackupCodes } from "./backup-codes.tsx";
import { CheckCode } from "./check-code.tsx";
import { DeviceList } from "./device-list.tsx";
import { PasskeyList } from "./passkey-list.tsx";
import { Timeline } from "./timeline.tsx";
import { UserActions } from "./user-actions.tsx";
import { useUserQuery } from "./user-query.ts";
import { UserState } from "./user-state.tsx";

export default function UserPage() {
  const can = usePermissions();
  const id = useFilters().get("id") ?? "";
  const {
    data: profile,
    error,
    isPending,
    refetch,
  } = useUserQuery(id, "profile", (idp) => idp.users.get(id));
  if (isPending) return <Loading />;
  if (error instanceof IdpError && error.code === "user_not_found") {
    return (
      <>
        <PageHead title={<Name whole>{id}</Name>} />
        <Empty title={texts.user.notFound} hint={texts.user.notFoundHint} />
      </>
    );
  }
  if (error !== null) return <Failure error={error} onRetry={() => void refetch()} />;
  return (
    <>
      <PageHead title={<Name whole>{id}</Name>}>
        {can("sentinel:read") ? (
          <a className="button" href={hrefOf("/risk", { user: id })}>
            {texts.user.assessments}
          </a>
        ) : null}
        {can("idp:write") ? <UserActions profile={profile} /> : null}
      </PageHead>
      <div className="stack">
        <UserState profile={profile} />
        <div className="columns">
          <AuthenticatorList profile={profile} />
          {can("idp:write") ? <CheckCode externalId={id} /> : null}
          <BackupCodes profile={profile} />
          <PasskeyList externalId={id} />
          <DeviceList externalId={id} />
        </div>
        {can("audit:read") ? <Timeline externalId={id} /> : null}
      </div>
    </>
  );
}
