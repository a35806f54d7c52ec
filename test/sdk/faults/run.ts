/** All tests with the server that misbehaves, for one file that any version of Node can run. */
import "./retries.ts";
import "./answers.ts";
import "./exports.ts";
