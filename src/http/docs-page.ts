/** The OpenAPI document as one HTML page, without scripts and without other hosts. */
import { html, raw } from "hono/html";
import type { OpenApiDocument } from "./openapi-completion.ts";
import { methods } from "./route.ts";

const style = `
  :root { color-scheme: light dark; font: 16px/1.5 system-ui, sans-serif; }
  body { max-width: 60rem; margin: 0 auto; padding: 1rem; }
  h2 { margin-top: 2.5rem; border-bottom: 1px solid #8886; }
  details { margin: .4rem 0; border: 1px solid #8886; border-radius: .4rem; padding: .4rem .8rem; }
  summary { cursor: pointer; }
  code, pre { font: .85rem/1.45 ui-monospace, monospace; }
  pre { overflow-x: auto; background: #8881; padding: .6rem; border-radius: .4rem; }
  .method { display: inline-block; min-width: 4.5rem; font-weight: 700; text-transform: uppercase; }
  .summary { opacity: .8; }
  nav a { margin-right: 1rem; }
`;

type Operation = NonNullable<NonNullable<OpenApiDocument["paths"]>[string]["get"]>;

interface ListedOperation {
  readonly method: string;
  readonly path: string;
  readonly operation: Operation;
}

function operationsOf(document: OpenApiDocument): ListedOperation[] {
  return Object.entries(document.paths ?? {}).flatMap(([path, item]) =>
    methods.flatMap((method) => {
      const operation = item[method];
      return operation === undefined ? [] : [{ method, path, operation }];
    }),
  );
}

/** Descriptions mark code with backticks. */
function renderProse(text = "") {
  return text
    .split("`")
    .map((part, index) => (index % 2 === 1 ? html`<code>${part}</code>` : part));
}

function renderJson(title: string, value: unknown) {
  return value === undefined
    ? ""
    : html`<h4>${title}</h4><pre><code>${JSON.stringify(value, null, 2)}</code></pre>`;
}

function renderOperation({ method, path, operation }: ListedOperation) {
  const responses = Object.entries(operation.responses ?? {});
  return html`<details id="${operation.operationId ?? ""}">
    <summary>
      <code><span class="method">${method}</span>${path}</code>
      <span class="summary">${operation.summary ?? ""}</span>
    </summary>
    <p>${renderProse(operation.description)}</p>
    ${renderJson("Parameters", operation.parameters)} ${renderJson("Request body", operation.requestBody)}
    <h4>Responses</h4>
    ${responses.map(
      ([status, response]) =>
        html`<details><summary><code>${status}</code></summary>${renderJson("", response)}</details>`,
    )}
  </details>`;
}

export async function renderDocsPage(document: OpenApiDocument): Promise<string> {
  const byTag = Map.groupBy(
    operationsOf(document),
    ({ operation }) => operation.tags?.[0] ?? "Other",
  );
  const page = html`<!doctype html>
    <html lang="en">
      <head>
        <meta charset="utf-8" />
        <meta name="viewport" content="width=device-width, initial-scale=1" />
        <title>${document.info.title} API</title>
        <style>${raw(style)}</style>
      </head>
      <body>
        <h1>${document.info.title} API <small>${document.info.version}</small></h1>
        <p>${renderProse(document.info.description)}</p>
        <nav>
          <a href="/openapi.json">openapi.json</a>
          <a href="/openapi-3.0.json">openapi-3.0.json</a>
          ${[...byTag.keys()].map((tag) => html`<a href="#${tag}">${tag}</a>`)}
        </nav>
        ${[...byTag].map(
          ([tag, listed]) => html`<h2 id="${tag}">${tag}</h2>${listed.map(renderOperation)}`,
        )}
        <h2>Examples of errors</h2>
        ${Object.entries(document.components?.examples ?? {}).map(
          ([code, example]) =>
            html`<details><summary><code>${code}</code></summary>${renderJson("", example)}</details>`,
        )}
        <h2>Shared schemas</h2>
        ${Object.entries(document.components?.schemas ?? {}).map(
          ([name, schema]) => html`<details id="schema-${name}">
            <summary><code>${name}</code></summary>
            ${renderJson("", schema)}
          </details>`,
        )}
      </body>
    </html>`;
  return String(await page);
}
