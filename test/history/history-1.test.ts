import { checkHistories } from "./suite.ts";

checkHistories(1);
