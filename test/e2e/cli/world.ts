/** What the parts of `npm run check:cli` share. */
import type { LocalService } from "../local-service.ts";
import type { Report } from "../report.ts";
import type { CommandLine } from "./command-line.ts";

export interface World {
  readonly report: Report;
  readonly commands: CommandLine;
  /** The project in which the service runs, and a folder for the check's own files. */
  readonly project: string;
  readonly scratch: string;
  /** The service that runs now. */
  readonly service: () => LocalService;
  /** Starts the service again at the same address, with the file of secrets as it is then. */
  readonly restart: () => Promise<void>;
}
