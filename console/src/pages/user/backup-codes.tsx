import type { Profile } from "@edge-idp/sdk";
import { useState } from "react";
import { Confirm } from "../../parts/confirm.tsx";
import { Copy } from "../../parts/copy.tsx";
import { Dialog } from "../../parts/dialog.tsx";
import { Name } from "../../parts/name.tsx";
import { Section } from "../../parts/section.tsx";
import { useIdp, usePermissions } from "../../session/session-context.ts";
import { texts } from "../../texts/en.ts";
import { useRefreshUser } from "./user-query.ts";

const words = texts.user.backup;

export function BackupCodes({ profile }: { readonly profile: Profile }) {
  const id = profile.external_id;
  const idp = useIdp();
  const can = usePermissions();
  const refresh = useRefreshUser(id);
  const [isAsking, setAsking] = useState(false);
  const [codes, setCodes] = useState<readonly string[]>();
  const create = async () => {
    setCodes(await idp.backupCodes.regenerate(id));
    await refresh();
  };
  const button = (
    <button type="button" onClick={() => setAsking(true)}>
      {words.create}
    </button>
  );
  return (
    <Section title={words.title} actions={can("idp:write") ? button : null}>
      <p>{words.left(profile.backup_codes_remaining)}</p>
      {isAsking ? (
        <Confirm
          title={words.createTitle}
          hint={words.createHint}
          action={words.create}
          isHarmless={profile.backup_codes_remaining === 0}
          act={create}
          onClose={() => setAsking(false)}
        />
      ) : null}
      {codes === undefined ? null : (
        <Dialog title={words.list} onClose={() => setCodes(undefined)} isSticky>
          <p>{words.shown}</p>
          <div className="printed">
            <p className="only-print">
              {words.list}: <Name whole>{id}</Name>
            </p>
            <ul className="codes" aria-label={words.list}>
              {codes.map((code) => (
                <li key={code}>
                  <code>{code}</code>
                </li>
              ))}
            </ul>
          </div>
          <div className="dialog-actions">
            <Copy text={codes.join("\n")} what={words.list} />
            <button type="button" className="small" onClick={() => print()}>
              {texts.common.print}
            </button>
            <button type="button" className="primary small" onClick={() => setCodes(undefined)}>
              {texts.user.authenticators.done}
            </button>
          </div>
        </Dialog>
      )}
    </Section>
  );
}
