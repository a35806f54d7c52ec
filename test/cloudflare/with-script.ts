/** Finds the script that a path names. */
import type { Account, Script } from "./account.ts";
import { type Answer, fail } from "./answer.ts";
import type { Call } from "./route.ts";

const noScript = () => fail(404, 10007, "This Worker does not exist on your account.");
export function withScript(
  answer: (account: Account, script: Script, call: Call) => Answer | Promise<Answer>,
) {
  return (account: Account, call: Call): Answer | Promise<Answer> => {
    const script = account.scripts.get(call.parameters.script ?? "");
    return script === undefined ? noScript() : answer(account, script, call);
  };
}
