import { together } from "../support/together.ts";

together("attacks-3");
