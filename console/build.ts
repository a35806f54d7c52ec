/** `npm run build -w @edge-idp/console`: writes the page at `/console` into public/console. */
import { writeConsole } from "./write-console.ts";

await writeConsole();
