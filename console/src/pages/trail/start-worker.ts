/** Starts the worker that verifies the trail. The policy of the page allows no other worker. */
import workerUrl from "./verify-worker.ts?worker&url";

interface ScriptPolicy {
  createScriptURL(url: string): string;
}

/** What the declarations of TypeScript do not have yet, nor all browsers. */
interface TrustedTypes {
  createPolicy(name: string, rules: ScriptPolicy): ScriptPolicy;
}

function findTrustedTypes(place: { trustedTypes?: TrustedTypes }): TrustedTypes | undefined {
  return place.trustedTypes;
}

const rules: ScriptPolicy = {
  createScriptURL(url) {
    if (url !== workerUrl) throw new TypeError("This page starts only one worker.");
    return url;
  },
};
const policy =
  findTrustedTypes(Object(globalThis))?.createPolicy("edge-idp-console", rules) ?? rules;

export function startWorker(): Worker {
  return new Worker(policy.createScriptURL(workerUrl), { type: "module" });
}
