/** The pages of the console: where each is, who may see it, and the file that is loaded for it. */
import type { Permission } from "@edge-idp/sdk";
import { type ComponentType, type LazyExoticComponent, lazy } from "react";
import { texts } from "../texts/en.ts";

export interface Place {
  readonly path: string;
  readonly title: string;
  /** The permission of an API token, or `operator` for the operator token. */
  readonly access: Permission | "operator";
  readonly Page: LazyExoticComponent<ComponentType>;
  /** The menu shows it under this place. */
  readonly partOf?: string;
}

export const places: readonly Place[] = [
  {
    path: "/overview",
    title: texts.pages.overview,
    access: "audit:read",
    Page: lazy(() => import("../pages/overview/overview-page.tsx")),
  },
  {
    path: "/users",
    title: texts.pages.users,
    access: "idp:read",
    Page: lazy(() => import("../pages/users/users-page.tsx")),
  },
  {
    path: "/user",
    title: texts.pages.user,
    access: "idp:read",
    partOf: "/users",
    Page: lazy(() => import("../pages/user/user-page.tsx")),
  },
  {
    path: "/risk",
    title: texts.pages.risk,
    access: "sentinel:read",
    Page: lazy(() => import("../pages/risk/risk-page.tsx")),
  },
  {
    path: "/risk/thresholds",
    title: texts.risk.thresholds,
    access: "sentinel:read",
    partOf: "/risk",
    Page: lazy(() => import("../pages/risk/thresholds-page.tsx")),
  },
  {
    path: "/trail",
    title: texts.pages.trail,
    access: "audit:read",
    Page: lazy(() => import("../pages/trail/trail-page.tsx")),
  },
  {
    path: "/trail/verify",
    title: texts.trail.verify,
    access: "audit:read",
    partOf: "/trail",
    Page: lazy(() => import("../pages/trail/verify-page.tsx")),
  },
  {
    path: "/tokens",
    title: texts.pages.tokens,
    access: "tokens:read",
    Page: lazy(() => import("../pages/tokens/tokens-page.tsx")),
  },
  {
    path: "/destinations",
    title: texts.pages.destinations,
    access: "settings:write",
    Page: lazy(() => import("../pages/destinations/destinations-page.tsx")),
  },
  {
    path: "/webhook",
    title: texts.destinations.title.webhook,
    access: "settings:write",
    partOf: "/destinations",
    Page: lazy(() => import("../pages/destinations/webhook-page.tsx")),
  },
  {
    path: "/stream",
    title: texts.destinations.title.stream,
    access: "settings:write",
    partOf: "/destinations",
    Page: lazy(() => import("../pages/destinations/stream-page.tsx")),
  },
  {
    path: "/settings",
    title: texts.pages.settings,
    access: "settings:read",
    Page: lazy(() => import("../pages/settings/settings-page.tsx")),
  },
  {
    path: "/tenants",
    title: texts.pages.tenants,
    access: "operator",
    Page: lazy(() => import("../pages/operator/tenants-page.tsx")),
  },
  {
    path: "/tenant",
    title: texts.operator.tenant.title,
    access: "operator",
    partOf: "/tenants",
    Page: lazy(() => import("../pages/operator/tenant-page.tsx")),
  },
  {
    path: "/keys",
    title: texts.pages.keys,
    access: "operator",
    Page: lazy(() => import("../pages/operator/keys-page.tsx")),
  },
  {
    path: "/feeds",
    title: texts.pages.feeds,
    access: "operator",
    Page: lazy(() => import("../pages/operator/feeds-page.tsx")),
  },
  {
    path: "/health",
    title: texts.pages.health,
    access: "operator",
    Page: lazy(() => import("../pages/operator/health-page.tsx")),
  },
];
