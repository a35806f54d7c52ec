/** The part of passkeys.ts that runs in the browser. */
import { createPasskey, getPasskey, PasskeyError, signalUnknownPasskey } from "./browser.js";

const form = document.forms.namedItem("passkey");
const { step } = form.dataset;
const message = document.querySelector("[role=alert]");
/** Ends the suggestions, because a browser handles one request at a time. */
const suggestions = new AbortController();
/** The service accepts a challenge for five minutes. */
const maxWaitMs = 240_000;

async function loadOptions() {
  const answer = await fetch(`/${step}/options`, { method: "POST", redirect: "error" });
  if (!answer.ok) throw new Error(await answer.text());
  return await answer.json();
}

function send(credential) {
  form.elements.credential.value = JSON.stringify(credential);
  form.submit();
}

/** Suggests passkeys in the name, until the user takes one or does something else. */
async function suggest() {
  const signal = AbortSignal.any([suggestions.signal, AbortSignal.timeout(maxWaitMs)]);
  try {
    send(await getPasskey(await loadOptions(), { mediation: "conditional", signal }));
  } catch (error) {
    if (error.name === "TimeoutError") await suggest();
  }
}

form.addEventListener("submit", async (event) => {
  event.preventDefault();
  suggestions.abort();
  try {
    const options = await loadOptions();
    send(await (step === "account" ? createPasskey(options) : getPasskey(options)));
  } catch (error) {
    const isRefused = error instanceof PasskeyError && error.code === "cancelled";
    message.textContent = isRefused ? "No passkey was used." : error.message;
  }
});

for (const { dataset } of document.querySelectorAll("[data-forgotten]")) {
  await signalUnknownPasskey({ rpId: location.hostname, credentialId: dataset.forgotten });
}
if (step === "login") await suggest();
