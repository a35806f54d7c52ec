/** The data of one user, and how it is read again after a change. */
import type { EdgeIdp } from "@edge-idp/sdk";
import { type UseQueryResult, useQuery, useQueryClient } from "@tanstack/react-query";
import { useSession } from "../../session/session-context.ts";

/** @param part names what is read of the user */
export function useUserQuery<Data>(
  externalId: string,
  part: string,
  read: (idp: EdgeIdp) => Promise<Data>,
): UseQueryResult<Data> {
  const { id, idp } = useSession();
  return useQuery({ queryKey: [id, "user", externalId, part], queryFn: () => read(idp) });
}

/** Reads everything about the user again. */
export function useRefreshUser(externalId: string): () => Promise<void> {
  const { id } = useSession();
  const client = useQueryClient();
  return () => client.invalidateQueries({ queryKey: [id, "user", externalId] });
}
