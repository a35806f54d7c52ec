/** The client data of WebAuthn Level 3 (§5.8.1; pure): what the browser says about the ceremony. */

export interface ClientData {
  readonly type: string;
  readonly challenge: string;
  readonly origin: string;
  readonly crossOrigin: boolean;
  /** The origin of the page around the frame that the ceremony ran in; null if the browser does not name one. */
  readonly topOrigin: string | null;
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/**
 * Steps 5 and 6 of §7.1, 8 and 9 of §7.2: decodes UTF-8, without a leading byte order mark, and JSON. Further fields
 * are allowed, as the specification asks.
 * @returns what is wrong, if it is malformed
 */
export function parseClientData(clientDataJson: Uint8Array): ClientData | string {
  let text: string;
  try {
    text = new TextDecoder("utf-8", { fatal: true, ignoreBOM: false }).decode(clientDataJson);
  } catch {
    return "is not UTF-8";
  }
  let data: unknown;
  try {
    data = JSON.parse(text);
  } catch {
    return "is not JSON";
  }
  if (!isObject(data)) return "is not a JSON object";
  const { type, challenge, origin, crossOrigin = false, topOrigin = null } = data;
  if (typeof type !== "string" || typeof challenge !== "string" || typeof origin !== "string") {
    return "must have type, challenge and origin as strings";
  }
  if (typeof crossOrigin !== "boolean") return "has a crossOrigin that is not a boolean";
  if (typeof topOrigin !== "string" && topOrigin !== null) {
    return "has a topOrigin that is not a string";
  }
  return { type, challenge, origin, crossOrigin, topOrigin };
}
