/** Imported backup codes that were spent (pure). They can be imported again after their set is gone, and stay spent. */
import type { IdentityState } from "./state.ts";

/** The sets whose spent codes are remembered, the newest. */
const maxSets = 5;

/** The change to make when the set of backup codes is removed or replaced. */
export function rememberSpentCodes({
  backupCodes,
  spentCodes = [],
}: IdentityState): Pick<Partial<IdentityState>, "spentCodes"> {
  if (backupCodes?.imported === undefined || backupCodes.spent.length === 0) return {};
  const { keyVersion, spent: hashes } = backupCodes;
  return { spentCodes: [...spentCodes, { keyVersion, hashes }].slice(-maxSets) };
}
