/** Merges the key versions that several databases have recorded (pure). */
import type { KeyVersion } from "./version-store.ts";

/** A version is in use as long as one database has it in use. */
export function mergeKeyVersions(recorded: readonly (readonly KeyVersion[])[]): KeyVersion[] {
  const byVersion = Map.groupBy(recorded.flat(), ({ keyring, version }) => `${keyring} ${version}`);
  return [...byVersion.values()].flatMap(([first, ...others]) => {
    if (first === undefined) return [];
    const all = [first, ...others];
    const retired = all.flatMap(({ retiredAt }) => retiredAt ?? []);
    return [
      {
        ...first,
        firstUsedAt: Math.min(...all.map(({ firstUsedAt }) => firstUsedAt)),
        retiredAt: retired.length === all.length ? Math.max(...retired) : null,
      },
    ];
  });
}
