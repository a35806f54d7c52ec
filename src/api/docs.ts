/**
 * `/openapi.json` and `/docs`. Each is generated on its first request and then cached, because every
 * client may request it at any rate.
 */
import { z } from "zod";
import { anyone } from "../http/access.ts";
import { renderDocsPage } from "../http/docs-page.ts";
import { createOpenApiDocument } from "../http/openapi.ts";
import { defineRoute, none, type Route } from "../http/route.ts";

const securityPolicy =
  "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/** @param apiRoutes the operations of the API; the document also contains the two routes created here */
export function createDocumentRoutes(apiRoutes: readonly Route[]): Route[] {
  let text: string | undefined;
  let page: string | undefined;
  const routes: Route[] = [
    defineRoute(
      {
        method: "get",
        path: "/openapi.json",
        name: "openApi",
        summary: "Get this document",
        tag: "Documentation",
        access: anyone,
        body: none,
        query: none,
        responses: { 200: { description: "The OpenAPI 3.1 document.", body: z.looseObject({}) } },
      },
      async () => {
        text ??= JSON.stringify(document());
        return new Response(text, { headers: { "Content-Type": "application/json" } });
      },
    ),
    defineRoute(
      {
        method: "get",
        path: "/docs",
        name: "docs",
        summary: "Read this document as a page",
        tag: "Documentation",
        access: anyone,
        body: none,
        query: none,
        responses: {
          200: { description: "The page, in HTML.", body: z.string(), contentType: "text/html" },
        },
      },
      async () => {
        page ??= await renderDocsPage(document());
        return new Response(page, {
          headers: {
            "Content-Type": "text/html; charset=utf-8",
            "Content-Security-Policy": securityPolicy,
          },
        });
      },
    ),
  ];
  function document() {
    return createOpenApiDocument([...apiRoutes, ...routes]);
  }
  return routes;
}
