/** Hands the session to the pages. */
import type { EdgeIdp, Permission } from "@edge-idp/sdk";
import { createContext, useContext } from "react";
import type { Session } from "./session.ts";

export interface OpenSession extends Session {
  /** Ends it, and says why if there is a reason. */
  readonly end: (reason?: string) => void;
}

export const SessionContext = createContext<OpenSession | undefined>(undefined);

export function useSession(): OpenSession {
  const session = useContext(SessionContext);
  if (session === undefined) throw new Error("This part of the page needs a session.");
  return session;
}

export function useIdp(): EdgeIdp {
  return useSession().idp;
}

/** Tells whether the token of the session has a permission. The operator has none of a tenant's. */
export function usePermissions(): (permission: Permission) => boolean {
  const { tenant } = useSession();
  return (permission) => tenant?.permissions.includes(permission) ?? false;
}
