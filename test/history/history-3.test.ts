import { checkHistories } from "./suite.ts";

checkHistories(3);
