/** Ends the session of a reader who has left. */
import { useEffect } from "react";
import { noteActivity, readCredentials } from "./session.ts";

const signsOfLife = ["pointerdown", "keydown", "wheel"] as const;
const checkEveryMs = 5_000;
/** Signs of life within this time count once. */
const noteEveryMs = 1_000;

/** Calls `end` when the idle time is over, also after the computer slept. */
export function useIdleWatch(end: () => void): void {
  useEffect(() => {
    let notedAt = 0;
    const note = () => {
      const now = Date.now();
      if (Math.abs(now - notedAt) < noteEveryMs) return;
      notedAt = now;
      check();
      noteActivity();
    };
    const check = () => {
      if (readCredentials() === undefined) end();
    };
    const timer = setInterval(check, checkEveryMs);
    for (const sign of signsOfLife) window.addEventListener(sign, note, { passive: true });
    document.addEventListener("visibilitychange", check);
    return () => {
      clearInterval(timer);
      for (const sign of signsOfLife) window.removeEventListener(sign, note);
      document.removeEventListener("visibilitychange", check);
    };
  }, [end]);
}
