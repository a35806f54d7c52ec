import { together } from "../support/together.ts";

together("interrupted-2");
