import { together } from "../support/together.ts";

together("audit-2");
