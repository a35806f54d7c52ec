/** Times in the reader's zone, with UTC on hover. */
import { texts } from "../texts/en.ts";

const options = { dateStyle: "medium", timeStyle: "medium" } as const;
const full = new Intl.DateTimeFormat("en-GB", options);
const day = new Intl.DateTimeFormat("en-GB", { dateStyle: "medium" });
const utc = new Intl.DateTimeFormat("en-GB", { ...options, timeZone: "UTC" });

export function formatTime(time: string | number): string {
  return full.format(new Date(time));
}

interface TimeProps {
  /** RFC 3339; null for a time that never was. */
  readonly at: string | null;
  readonly onlyDay?: boolean;
}

export function Time({ at, onlyDay = false }: TimeProps) {
  if (at === null) return <span className="faint">{texts.common.never}</span>;
  const date = new Date(at);
  return (
    <time dateTime={at} title={texts.common.utc(utc.format(date))}>
      {(onlyDay ? day : full).format(date)}
    </time>
  );
}
