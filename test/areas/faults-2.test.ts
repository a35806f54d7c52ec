import { together } from "../support/together.ts";

together("faults-2");
