/** `/openapi.json`, and `/docs`, which shows it. Made on the first request, not at start-up. */
import { z } from "zod";
import { anybody } from "./access.ts";
import { docsPage } from "./docs-page.ts";
import { type OpenApiDocument, openApiDocument } from "./openapi.ts";
import { none, type Route, route } from "./route.ts";

const securityPolicy =
  "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/** @param apiRoutes the operations of the API; the routes made here document themselves too */
export function documentRoutes(apiRoutes: readonly Route[]): Route[] {
  let made: OpenApiDocument | undefined;
  const routes = [
    route(
      {
        method: "get",
        path: "/openapi.json",
        name: "openApi",
        summary: "This document",
        tag: "Documentation",
        access: anybody,
        body: none,
        query: none,
        answers: { 200: { description: "OpenAPI 3.1.", body: z.looseObject({}) } },
      },
      async () => Response.json(document()),
    ),
    route(
      {
        method: "get",
        path: "/docs",
        name: "docs",
        summary: "This document for people",
        tag: "Documentation",
        access: anybody,
        body: none,
        query: none,
        answers: {
          200: { description: "HTML.", body: z.string(), contentType: "text/html" },
        },
      },
      async () =>
        new Response(await docsPage(document()), {
          headers: {
            "Content-Type": "text/html; charset=utf-8",
            "Content-Security-Policy": securityPolicy,
          },
        }),
    ),
  ];
  function document(): OpenApiDocument {
    made ??= openApiDocument([...apiRoutes, ...routes]);
    return made;
  }
  return routes;
}
