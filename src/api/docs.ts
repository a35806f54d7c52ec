/**
 * `/openapi.json` and `/openapi-3.0.json`. Each is generated on its first request and then cached, because every client
 * may request it at any rate. The page at `/docs` is a static file: packages/reference.
 */
import { z } from "zod";
import { anyone } from "../http/access.ts";
import { createOpenApiDocument } from "../http/openapi.ts";
import { convertToOpenApi30 } from "../http/openapi-3.0.ts";
import { defineRoute, none, type Route } from "../http/route.ts";

/** @param apiRoutes the operations of the API; the document also contains the routes created here */
export function createDocumentRoutes(apiRoutes: readonly Route[]): Route[] {
  const texts = new Map<string, string>();
  const routes: Route[] = [
    defineDocumentRoute("3.1", "/openapi.json", "openApi", () => document()),
    defineDocumentRoute("3.0.3", "/openapi-3.0.json", "openApi30", () =>
      convertToOpenApi30(document()),
    ),
  ];

  function defineDocumentRoute(version: string, path: string, name: string, create: () => object) {
    return defineRoute(
      {
        method: "get",
        path,
        name,
        summary: `Get this document in OpenAPI ${version}`,
        description: `Returns this document in OpenAPI ${version}, for generators of clients.`,
        tag: "Documentation",
        access: anyone,
        body: none,
        query: none,
        responses: {
          200: {
            description: `The document in OpenAPI ${version}.`,
            body: z.looseObject({ openapi: z.string().meta({ examples: [version] }) }),
          },
        },
      },
      async () => {
        const text = texts.get(path) ?? JSON.stringify(create());
        texts.set(path, text);
        return new Response(text, { headers: { "Content-Type": "application/json" } });
      },
    );
  }

  function document() {
    return createOpenApiDocument([...apiRoutes, ...routes]);
  }
  return routes;
}
