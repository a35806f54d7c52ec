/** A browser as far as forms need one: it keeps cookies, follows redirects, and names the origin of a form. */

export interface Page {
  /** Of the last answer, after all redirects. */
  readonly path: string;
  readonly status: number;
  readonly text: string;
}

const maxRedirects = 5;

export class Browser {
  readonly #site: string;
  readonly #headers: Readonly<Record<string, string>>;
  readonly #cookies = new Map<string, string>();

  /** @param headers of all requests, such as those that a proxy adds */
  constructor(site: string, headers: Readonly<Record<string, string>>) {
    this.#site = site;
    this.#headers = headers;
  }

  /** The value of the header `Cookie`. */
  get cookie(): string {
    return [...this.#cookies].map(([name, value]) => `${name}=${value}`).join("; ");
  }

  set cookie(text: string) {
    const [name = "", value = ""] = text.split("=");
    this.#cookies.set(name, value);
  }

  open(path: string): Promise<Page> {
    return this.#visit(path, {});
  }

  /** @param origin the site that the form is on */
  submit(
    path: string,
    fields: Readonly<Record<string, string>>,
    origin = this.#site,
  ): Promise<Page> {
    const body = new URLSearchParams(fields);
    return this.#visit(path, { method: "POST", body, headers: { Origin: origin } });
  }

  async #visit(path: string, init: RequestInit, redirects = 0): Promise<Page> {
    const headers = new Headers({ ...this.#headers, Cookie: this.cookie });
    for (const [name, value] of new Headers(init.headers)) headers.set(name, value);
    const answer = await fetch(this.#site + path, { ...init, headers, redirect: "manual" });
    for (const line of answer.headers.getSetCookie()) this.cookie = line.split(";")[0] ?? "";
    const text = await answer.text();
    const location = answer.headers.get("Location");
    if (location === null) return { path, status: answer.status, text };
    if (redirects === maxRedirects) throw new Error(`${path} redirects again and again`);
    // A 303 asks for a GET.
    return this.#visit(location, {}, redirects + 1);
  }
}
