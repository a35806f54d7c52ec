import type { KnownDevice } from "@edge-idp/sdk";
import { useState } from "react";
import { Confirm } from "../../parts/confirm.tsx";
import { useNotify } from "../../parts/notice.tsx";
import { Time } from "../../parts/time.tsx";
import { useIdp } from "../../session/session-context.ts";
import { texts } from "../../texts/en.ts";
import { RemovableList } from "./removable-list.tsx";
import { useRefreshUser, useUserQuery } from "./user-query.ts";

const words = texts.user.devices;

/** The name of a device, or a word in its place. */
function nameOf({ name }: KnownDevice): string {
  return name ?? words.unnamed;
}

function describe(device: KnownDevice) {
  const hint = (
    <>
      {words.lastUsed}: <Time at={device.last_used_at} /> · {words.expires}:{" "}
      <Time at={device.expires_at} onlyDay />
    </>
  );
  return { id: device.id, name: nameOf(device), hint };
}

export function DeviceList({ externalId }: { readonly externalId: string }) {
  const idp = useIdp();
  const notify = useNotify();
  const refresh = useRefreshUser(externalId);
  const [removed, setRemoved] = useState<KnownDevice | "all">();
  const query = useUserQuery(externalId, "devices", () => idp.devices.list(externalId));
  const devices = query.data ?? [];
  const remove = async () => {
    if (removed === undefined) return;
    await (removed === "all"
      ? idp.devices.removeAll(externalId)
      : idp.devices.remove(externalId, removed.id));
    await refresh();
    notify(words.removed);
  };
  const removeAllButton =
    devices.length === 0 ? null : (
      <button type="button" onClick={() => setRemoved("all")}>
        {words.removeAll}
      </button>
    );
  return (
    <RemovableList
      title={words.title}
      actions={removeAllButton}
      query={query}
      items={devices}
      describe={describe}
      empty={words.empty}
      remove={words.remove}
      onRemove={setRemoved}
    >
      {removed === undefined ? null : (
        <Confirm
          title={removed === "all" ? words.removeAllTitle : words.removeTitle(nameOf(removed))}
          hint={words.removeHint}
          action={removed === "all" ? words.removeAll : words.remove}
          act={remove}
          onClose={() => setRemoved(undefined)}
        />
      )}
    </RemovableList>
  );
}
