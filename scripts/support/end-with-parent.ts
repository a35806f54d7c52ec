/** Preloaded into wrangler, so that wrangler ends when the script that started it ends. */
import { whenParentEnds } from "./parent.ts";

whenParentEnds(() => process.kill(process.pid, "SIGTERM"));
