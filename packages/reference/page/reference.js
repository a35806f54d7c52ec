/** Shows the OpenAPI document with its samples. Everything that the page needs comes from its own origin. */
import { createApiReference } from "./scalar/standalone.esm.js";

/** The samples name this address; the page shows its own instead. */
const sampleOrigin = "https://idp.example.com";

/** Clients for which Scalar writes samples, all but curl. */
const otherClients = [
  ...["c", "clojure", "csharp", "dart", "fsharp", "go", "http", "java", "js", "julia", "kotlin"],
  ...["node", "objc", "ocaml", "php", "powershell", "python", "r", "ruby", "rust", "swift"],
  ...["shell/httpie", "shell/wget"],
];

/** Lets `#verifyOtp` open the operation of that name, as a link does that another document contains. */
function openNamedOperation({ paths }) {
  const name = location.hash.slice(1);
  const operations = Object.values(paths).flatMap((item) => Object.values(item));
  const named = operations.find(({ operationId }) => operationId === name);
  if (named === undefined) return;
  const tag = named.tags[0].toLowerCase().replaceAll(" ", "-");
  history.replaceState(null, "", `#tag/${tag}/${name}`);
}

async function showReference() {
  const response = await fetch("/docs/openapi.json");
  const text = await response.text();
  const content = JSON.parse(text.replaceAll(sampleOrigin, location.origin));
  openNamedOperation(content);
  createApiReference("#reference", {
    content,
    servers: [{ url: location.origin }],
    generateOperationSlug: ({ operationId, method, path }) => operationId ?? method + path,
    hiddenClients: otherClients,
    // The fields of a body are one level down, and the shared schemas stand where operations use them.
    expandAllSchemaProperties: true,
    hideModels: true,
    // The token of the visitor stays in the memory of the page.
    persistAuth: false,
    authentication: { preferredSecurityScheme: "bearer" },
    // No other host: fonts, telemetry, the chat, the cloud client and the offers for the author of the page.
    withDefaultFonts: false,
    telemetry: false,
    agent: { disabled: true },
    mcp: { disabled: true },
    hideClientButton: true,
    showDeveloperTools: "never",
    documentDownloadType: "none",
  });
}

await showReference();
