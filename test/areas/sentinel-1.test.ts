import { together } from "../support/together.ts";

together("sentinel-1");
