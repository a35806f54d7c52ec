/** Preloaded into wrangler, so that it never outlives the script that started it. */
import { whenParentEnds } from "./parent.ts";

whenParentEnds(() => process.kill(process.pid, "SIGTERM"));
