/** Key versions as several databases have noted them, taken together (pure). */
import type { KeyVersion } from "./store.ts";

/** One of each; in use as long as one database says so. */
export function mergeKeyVersions(noted: readonly (readonly KeyVersion[])[]): KeyVersion[] {
  const byVersion = Map.groupBy(noted.flat(), ({ keyring, version }) => `${keyring} ${version}`);
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
