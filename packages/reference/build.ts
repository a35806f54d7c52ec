/** `npm run build -w @edge-idp/reference`: writes the page at `/docs` into public/docs. */
import { writeReference } from "./write-reference.ts";

writeReference();
