/** An event as destinations receive it. */
import type { ShownEvent } from "../../audit/show-event.ts";

export interface LogEvent {
  readonly leafIndex: number;
  /** Exactly what `GET /v1/audit/events` shows. */
  readonly event: ShownEvent;
}
