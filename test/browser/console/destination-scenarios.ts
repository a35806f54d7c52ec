/** Webhooks and streams: a receiver that fails and recovers. */
import { createServer, type Server } from "node:http";
import { findProblems } from "../watch.ts";
import { createTenant, type Scenario, withConsole } from "./console-place.ts";

/** Answers with the status that it has at the moment, and counts what it gets. */
class Receiver {
  status = 204;
  received = 0;
  readonly #server: Server;

  private constructor() {
    this.#server = createServer((request, response) => {
      request.resume();
      request.on("end", () => {
        this.received += 1;
        response.writeHead(this.status).end();
      });
    });
  }

  static async start(): Promise<Receiver> {
    const receiver = new Receiver();
    await new Promise<void>((resolve) => receiver.#server.listen(0, "127.0.0.1", resolve));
    return receiver;
  }

  get url(): string {
    const address = this.#server.address();
    const port = typeof address === "object" && address !== null ? address.port : 0;
    return `http://127.0.0.1:${port}/events`;
  }

  close(): void {
    this.#server.close();
    this.#server.closeAllConnections();
  }
}

const useWebhook: Scenario = async (place) => {
  const receiver = await Receiver.start();
  const { token, idp } = await createTenant(place, "Webhooks");
  try {
    return await withConsole(place, token, async (opened) => {
      await opened.goTo("/destinations", "Webhooks and streams");
      await opened.press("Add a webhook");
      await opened.dialog.getByLabel("Address").fill(receiver.url);
      await opened.dialog.getByLabel("Events").fill("user.*");
      await opened.press("Add a webhook", opened.dialog);
      const secret = opened.dialog.locator(".secret code");
      await secret.waitFor();
      const shown = await secret.innerText();
      await opened.press("Done", opened.dialog);
      await opened.page.getByRole("link", { name: receiver.url }).click();
      await opened.heading(receiver.url).waitFor();
      await opened.press("Send a test");
      await opened.waitForNotice("The receiver answered 204");
      await opened.press("New secret");
      await opened.press("New secret", opened.dialog);
      await secret.waitFor();
      const rotated = await secret.innerText();
      await opened.press("Done", opened.dialog);
      receiver.status = 500;
      await idp.users.provision("ada");
      const attempts = opened.page.getByRole("table", { name: "Last attempts" });
      await attempts.getByText("500").first().waitFor();
      receiver.status = 204;
      await opened.press(/^Send again \d+/, attempts.page());
      await attempts.getByText("204").first().waitFor();
      await opened.press("Disable");
      await opened.press("Disable", opened.dialog);
      await opened.section("Webhook").getByText("Disabled").waitFor();
      await opened.press("Delete");
      await opened.press("Delete", opened.dialog);
      await opened.page.getByText("There is no webhook.").waitFor();
      return findProblems(
        [shown.startsWith("whsec_"), `the secret is ${shown}`],
        [rotated.startsWith("whsec_") && rotated !== shown, `the new secret is ${rotated}`],
        [(await idp.webhooks.list()).length === 0, "the webhook is still there"],
      );
    });
  } finally {
    receiver.close();
  }
};

const useStream: Scenario = async (place) => {
  const receiver = await Receiver.start();
  const { token, idp } = await createTenant(place, "Streams");
  await idp.users.provision("ada");
  try {
    return await withConsole(place, token, async (opened) => {
      await opened.goTo("/destinations", "Webhooks and streams");
      await opened.press("Add a stream");
      await opened.dialog.getByLabel("Format").selectOption("ocsf");
      await opened.dialog.getByLabel("Address").fill(receiver.url);
      await opened.dialog.getByLabel("Headers (optional)").fill("Authorization: Bearer x:y");
      await opened.dialog.getByLabel("First leaf (optional)").fill("0");
      await opened.press("Add a stream", opened.dialog);
      await opened.page.getByRole("link", { name: receiver.url }).click();
      await opened.heading(receiver.url).waitFor();
      const attempts = opened.page.getByRole("table", { name: "Last attempts" });
      await attempts.getByText("204").first().waitFor();
      const [stream] = await idp.streams.list();
      return findProblems(
        [receiver.received > 0, "the receiver got nothing"],
        [stream?.format === "ocsf", `the format is ${stream?.format}`],
      );
    });
  } finally {
    receiver.close();
  }
};

export const destinationScenarios: ReadonlyMap<string, Scenario> = new Map([
  ["a webhook is added, fails, is sent again and deleted", useWebhook],
  ["a stream sends the trail from its first leaf on", useStream],
]);
