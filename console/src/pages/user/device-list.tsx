import type { KnownDevice } from "@edge-idp/sdk";
import { useState } from "react";
import { Confirm } from "../../parts/dialog.tsx";
import { Name } from "../../parts/name.tsx";
import { useNotify } from "../../parts/notice.tsx";
import { Section } from "../../parts/section.tsx";
import { Failure, Loading } from "../../parts/states.tsx";
import { Time } from "../../parts/time.tsx";
import { useIdp, usePermissions } from "../../session/session-context.ts";
import { texts } from "../../texts/en.ts";
import { useRefreshUser, useUserQuery } from "./user-query.ts";

const words = texts.user.devices;

export function DeviceList({ externalId }: { readonly externalId: string }) {
  const idp = useIdp();
  const can = usePermissions();
  const notify = useNotify();
  const refresh = useRefreshUser(externalId);
  const [removed, setRemoved] = useState<KnownDevice | "all">();
  const query = useUserQuery(externalId, "devices", () => idp.devices.list(externalId));
  const { data: devices = [], error, isPending, refetch } = query;
  const remove = async () => {
    if (removed === undefined) return;
    await (removed === "all"
      ? idp.devices.removeAll(externalId)
      : idp.devices.remove(externalId, removed.id));
    await refresh();
    notify(words.removed);
  };
  const mayRemove = can("idp:write") && devices.length > 0;
  return (
    <Section
      title={words.title}
      actions={
        mayRemove ? (
          <button type="button" onClick={() => setRemoved("all")}>
            {words.removeAll}
          </button>
        ) : null
      }
    >
      {isPending ? <Loading /> : null}
      {error === null ? null : <Failure error={error} onRetry={() => void refetch()} />}
      {!isPending && error === null && devices.length === 0 ? (
        <p className="faint">{words.empty}</p>
      ) : null}
      <ul className="list">
        {devices.map((device) => (
          <li key={device.id}>
            <div>
              <Name>{device.name ?? words.unnamed}</Name>
              <p className="hint">
                {words.lastUsed}: <Time at={device.last_used_at} /> · {words.expires}:{" "}
                <Time at={device.expires_at} onlyDay />
              </p>
            </div>
            {mayRemove ? (
              <button type="button" className="small" onClick={() => setRemoved(device)}>
                {words.remove}
                <span className="hidden-label"> {device.name ?? words.unnamed}</span>
              </button>
            ) : null}
          </li>
        ))}
      </ul>
      {removed === undefined ? null : (
        <Confirm
          title={
            removed === "all"
              ? words.removeAllTitle
              : words.removeTitle(removed.name ?? words.unnamed)
          }
          hint={words.removeHint}
          action={removed === "all" ? words.removeAll : words.remove}
          act={remove}
          onClose={() => setRemoved(undefined)}
        />
      )}
    </Section>
  );
}
