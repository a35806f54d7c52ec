import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { agentFactsOf } from "../../src/sentinel/agent.ts";
import { cleanAgent } from "../../src/sentinel/agent-text.ts";

const kindOf = (agent: string) => agentFactsOf(agent).kind;

const webkit = "AppleWebKit/537.36 (KHTML, like Gecko)";
const apple = "AppleWebKit/605.1.15 (KHTML, like Gecko)";

describe("A browser", () => {
  test.each([
    [
      "Chrome on Windows",
      `Mozilla/5.0 (Windows NT 10.0; Win64; x64) ${webkit} Chrome/126.0.0.0 Safari/537.36`,
    ],
    [
      "Edge on Windows",
      `Mozilla/5.0 (Windows NT 10.0; Win64; x64) ${webkit} Chrome/126.0.0.0 Safari/537.36 Edg/126.0.0.0`,
    ],
    [
      "Opera on Windows",
      `Mozilla/5.0 (Windows NT 10.0; Win64; x64) ${webkit} Chrome/125.0.0.0 Safari/537.36 OPR/111.0.0.0`,
    ],
    [
      "Internet Explorer 11",
      "Mozilla/5.0 (Windows NT 10.0; WOW64; Trident/7.0; rv:11.0) like Gecko",
    ],
    [
      "Safari on macOS",
      `Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) ${apple} Version/17.5 Safari/605.1.15`,
    ],
    ["Firefox on Linux", "Mozilla/5.0 (X11; Linux x86_64; rv:127.0) Gecko/20100101 Firefox/127.0"],
    [
      "Chrome on a Chromebook",
      `Mozilla/5.0 (X11; CrOS x86_64 14541.0.0) ${webkit} Chrome/126.0.0.0 Safari/537.36`,
    ],
    [
      "Safari on an iPhone",
      `Mozilla/5.0 (iPhone; CPU iPhone OS 17_5_1 like Mac OS X) ${apple} Version/17.5 Mobile/15E148 Safari/604.1`,
    ],
    [
      "Chrome on an iPad",
      `Mozilla/5.0 (iPad; CPU OS 17_5 like Mac OS X) ${apple} CriOS/126.0.6478.54 Mobile/15E148 Safari/604.1`,
    ],
    [
      "Chrome on Android",
      `Mozilla/5.0 (Linux; Android 10; K) ${webkit} Chrome/126.0.0.0 Mobile Safari/537.36`,
    ],
    [
      "Samsung Internet",
      `Mozilla/5.0 (Linux; Android 14; SAMSUNG SM-S918B) ${webkit} SamsungBrowser/25.0 Chrome/121.0.0.0 Mobile Safari/537.36`,
    ],
    ["Firefox on Android", "Mozilla/5.0 (Android 14; Mobile; rv:127.0) Gecko/127.0 Firefox/127.0"],
    [
      "Chrome on a phone whose name ends in bot",
      `Mozilla/5.0 (Linux; Android 9; CUBOT_X19) ${webkit} Chrome/120.0.0.0 Mobile Safari/537.36`,
    ],
    [
      "a web view in an app",
      `Mozilla/5.0 (Linux; Android 13; Pixel 7 Build/TQ3A.230901.001; wv) ${webkit} Version/4.0 Chrome/116.0.0.0 Mobile Safari/537.36`,
    ],
    [
      "an Electron app",
      `Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) ${webkit} Slack/4.38.125 Chrome/124.0.6367.60 Electron/30.0.1 Safari/537.36`,
    ],
  ])("is recognised in %s", (_, agent) => {
    expect(kindOf(agent)).toBe("browser");
  });
});

describe("An application", () => {
  test.each([
    "EnterpriseAgent/1.0",
    "Acme/3.2 (iOS)",
    "Acme/3.2.1 (Android 14; Pixel 8)",
    "Acme/12 CFNetwork/1474 Darwin/23.0.0",
    "Acme-Desktop/2.4 (Windows NT 10.0)",
    "MyBank/5.1 (com.mybank.app; build:512; iOS 17.5.1) Alamofire/5.9.1",
    "okhttp/4.12.0",
    "Dalvik/2.1.0 (Linux; U; Android 14; Pixel 8 Build/AP2A.240605.024)",
    "Microsoft Office/16.0 (Windows NT 10.0; Microsoft Outlook 16.0; Pro)",
  ])("is recognised in %s", (agent) => {
    expect(kindOf(agent)).toBe("application");
  });
});

describe("A script, library or bot", () => {
  test.each([
    "curl/8.7.1",
    "Wget/1.21.4",
    "python-requests/2.32.3",
    "Python-urllib/3.12",
    "python-httpx/0.27.0",
    "Python/3.12 aiohttp/3.9.5",
    "Go-http-client/1.1",
    "Go-http-client/2.0",
    "Java/17.0.11",
    "Apache-HttpClient/4.5.14 (Java/17.0.11)",
    "axios/1.7.2",
    "node-fetch/1.0 (+https://github.com/bitinn/node-fetch)",
    "undici",
    "got (https://github.com/sindresorhus/got)",
    "libwww-perl/6.77",
    "GuzzleHttp/7",
    "Faraday v2.9.0",
    "reqwest/0.12",
    "HTTPie/3.2.2",
    "PostmanRuntime/7.39.0",
    "Scrapy/2.11.2 (+https://scrapy.org)",
    "sqlmap/1.8#stable (https://sqlmap.org)",
    "Nikto/2.5.0",
    "masscan/1.3",
    "Mozilla/5.0 zgrab/0.x",
    "Mozilla/5.0 (Windows NT; Windows NT 10.0; de-DE) WindowsPowerShell/5.1.22621.3672",
    "Mozilla/5.0",
    "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)",
    `Mozilla/5.0 ${webkit.replace(")", "; compatible; bingbot/2.0; +http://www.bing.com/bingbot.htm)")} Chrome/116.0.1938.76 Safari/537.36`,
    "Mozilla/5.0 (compatible; YandexBot/3.0; +http://yandex.com/bots)",
    "facebookexternalhit/1.1 (+http://www.facebook.com/externalhit_uatext.php)",
    "UptimeRobot/2.0",
  ])("is recognised in %s", (agent) => {
    expect(kindOf(agent)).toBe("scripted");
  });
});

describe("A browser under automation", () => {
  test.each([
    `Mozilla/5.0 (X11; Linux x86_64) ${webkit} HeadlessChrome/126.0.0.0 Safari/537.36`,
    "Mozilla/5.0 (Unknown; Linux x86_64) AppleWebKit/538.1 (KHTML, like Gecko) PhantomJS/2.1.1 Safari/538.1",
    `Mozilla/5.0 (X11; Linux x86_64) ${webkit} headlesschrome/126.0.0.0 Safari/537.36`,
  ])("is recognised in %s", (agent) => {
    expect(kindOf(agent)).toBe("headless");
  });
});

test.each([
  ["nothing", ""],
  ["a space", " "],
  ["tabs and line ends", "\t\r\n"],
  ["a no-break space", "\u00a0"],
])("%s counts as an empty agent", (_, agent) => {
  expect(kindOf(agent)).toBe("empty");
});

describe("An impossible browser", () => {
  const windows = "(Windows NT 10.0; Win64; x64)";
  const iphone = "(iPhone; CPU iPhone OS 17_5_1 like Mac OS X)";
  const android = "(Linux; Android 14; Pixel 8)";
  const mac = "(Macintosh; Intel Mac OS X 10_15_7)";

  test.each([
    ["an iPhone on Windows", `(iPhone; Windows NT 10.0) ${apple} Version/17.5 Safari/604.1`],
    ["a Mac with Android", `(Macintosh; Android 14) ${webkit} Chrome/126.0.0.0 Safari/537.36`],
    ["a current Safari on Windows", `${windows} ${apple} Version/17.5 Safari/605.1.15`],
    ["Internet Explorer on a Mac", `${mac.replace(")", "; Trident/7.0; rv:11.0)")} like Gecko`],
    ["Internet Explorer on Linux", "(compatible; MSIE 10.0; X11; Linux x86_64; Trident/6.0)"],
    ["the old Edge on Android", `${android} ${webkit} Chrome/64.0.3282.140 Edge/17.17134`],
    ["Chrome's own engine on an iPhone", `${iphone} ${webkit} Chrome/126.0.0.0 Safari/537.36`],
    ["Firefox's own engine on an iPhone", "(iPhone; rv:127.0) Gecko/20100101 Firefox/127.0"],
    ["an iPhone's Chrome on Windows", `${windows} ${apple} CriOS/126.0.6478.54 Safari/604.1`],
    ["an Android's Edge on Windows", `${windows} ${webkit} Chrome/126.0.0.0 EdgA/126.0.0.0`],
  ])("is recognised in %s", (_, rest) => {
    expect(kindOf(`Mozilla/5.0 ${rest}`)).toBe("impossible");
  });

  test.each([
    ["an iPad that asks for the desktop site", `${mac} ${apple} CriOS/126.0.6478.54 Safari/604.1`],
    ["the Safari for Windows of 2012", `(Windows NT 6.1) ${apple} Version/5.1.7 Safari/534.57.2`],
    ["GNOME Web", `(X11; Linux x86_64) ${apple} Version/17.5 Safari/605.1.15`],
    [
      "a Windows phone",
      `(Windows Phone 10.0; Android 6.0.1; Microsoft; Lumia 950) ${webkit} Chrome/52.0.2743.116 Mobile Safari/537.36 Edge/15.15063`,
    ],
    [
      "Internet Explorer 11 in its compatibility view",
      "(compatible; MSIE 7.0; Windows NT 10.0; WOW64; Trident/7.0)",
    ],
    ["a newer Chrome kept alive on Windows 7", `(Windows NT 6.1) ${webkit} Chrome/122.0.6261.132`],
    ["a web view of Android 4.4", `(Linux; Android 4.4.2) ${webkit} Version/4.0 Chrome/30.0.0.0`],
    ["Android's browser before Chrome", `(Linux; U; Android 4.0.3) ${webkit} Version/4.0 Mobile`],
  ])("is not recognised in %s", (_, rest) => {
    expect(kindOf(`Mozilla/5.0 ${rest}`)).toBe("browser");
  });
});

describe("The reader of user agents", () => {
  test.each([
    [
      `Mozilla/5.0 (Windows NT 10.0; Win64; x64) ${webkit} Chrome/126.0.6478.54 Safari/537.36`,
      { browser: "Chrome 126", os: "Windows", device: "desktop" },
    ],
    [
      `Mozilla/5.0 (iPhone; CPU iPhone OS 17_5_1 like Mac OS X) ${apple} Version/17.5 Mobile/15E148 Safari/604.1`,
      { browser: "Safari 17", os: "iOS", device: "mobile" },
    ],
    [
      `Mozilla/5.0 (iPad; CPU OS 17_5 like Mac OS X) ${apple} CriOS/126.0.6478.54 Mobile/15E148 Safari/604.1`,
      { browser: "Chrome 126", os: "iOS", device: "tablet" },
    ],
    [
      "Mozilla/5.0 (Android 14; Mobile; rv:127.0) Gecko/127.0 Firefox/127.0",
      { browser: "Firefox 127", os: "Android", device: "mobile" },
    ],
    [
      `Mozilla/5.0 (X11; CrOS x86_64 14541.0.0) ${webkit} Chrome/126.0.0.0 Safari/537.36`,
      { browser: "Chrome 126", os: "Chrome OS", device: "desktop" },
    ],
    [
      `Mozilla/5.0 (Windows NT 10.0; Win64; x64) ${webkit} Chrome/126.0.0.0 Safari/537.36 Edg/126.0.0.0`,
      { browser: "Microsoft Edge 126", os: "Windows", device: "desktop" },
    ],
    ["EnterpriseAgent/1.0", { browser: "EnterpriseAgent 1", os: null, device: null }],
    ["Acme/3.2.1 (Android 14; Pixel 8)", { browser: "Acme 3", os: "Android" }],
    ["", { browser: null, os: null, device: null }],
  ])("reduces %j to coarse facts", (agent, facts) => {
    expect(agentFactsOf(agent)).toMatchObject(facts);
  });

  test("ignores the patch version of a browser", () => {
    const chrome = (version: string) =>
      agentFactsOf(`Mozilla/5.0 (X11; Linux x86_64) ${webkit} Chrome/${version} Safari/537.36`);
    expect(chrome("126.0.6478.54")).toEqual(chrome("126.0.6478.182"));
  });

  test.each([
    "jane.doe@example.com/1.0",
    "+47 12345678",
    "jane doe/1",
    "device-4711/2",
    "constructor",
    "__proto__/1",
    "Mozilla/5.0 (a person's name) jane",
  ])("keeps no free text from %j", (agent) => {
    expect(agentFactsOf(agent).browser).toBeNull();
  });

  test("returns short and plain facts for any text", () => {
    const part = fc.constantFrom(
      ...[
        "Mozilla/5.0",
        "(",
        ")",
        ";",
        " ",
        "/",
        "Chrome/126.0.6478.54",
        "Windows NT 10.0",
        "iPhone",
      ],
      ...["Android 14", "Version/17.5", "Safari/604.1", "constructor", "__proto__", "Edg/", "rv:1"],
    );
    const hostile = fc.oneof(
      fc.string({ unit: "binary", maxLength: 1_024 }),
      fc
        .array(fc.oneof(part, fc.string({ maxLength: 8 })), { maxLength: 40 })
        .map((all) => all.join("")),
    );
    fc.assert(
      fc.property(hostile, (agent) => {
        const facts = agentFactsOf(agent);
        expect(facts.browser ?? "A").toMatch(/^[A-Za-z][A-Za-z .()-_]{0,39}( \d{1,4})?$/);
        expect(facts.os ?? "A").toMatch(/^[A-Za-z][A-Za-z0-9 ]{0,29}$/);
        expect([null, "desktop", "mobile", "tablet", "other"]).toContain(facts.device);
      }),
    );
  });
});

describe("An agent that no browser sends", () => {
  const chrome = `Mozilla/5.0 (Windows NT 10.0; Win64; x64) ${webkit} Chrome/126.0.0.0 Safari/537.36`;

  test.each([
    ["is too long", chrome.padEnd(1_025, "x")],
    ["has a control character", chrome.replace(" ", "\u0000")],
    ["ends with a line feed", `${chrome}\n`],
    ["has a C1 control character", `${chrome} caf\u00c3\u0089`],
    ["has a lone surrogate", `EnterpriseAgent/1.0 \ud83d`],
    ["has only a control character", "\u0000"],
  ])("counts as a script: it %s", (_, agent) => {
    expect(kindOf(agent)).toBe("scripted");
  });

  test("keeps its system and browser, and a worse kind", () => {
    expect(agentFactsOf(`${chrome}\u0000`)).toMatchObject({ os: "Windows", browser: "Chrome 126" });
    expect(kindOf(`${chrome}\u0000 HeadlessChrome/126.0.0.0`)).toBe("headless");
    expect(kindOf(`Mozilla/5.0 (iPhone; Windows NT 10.0) ${webkit}\u0000`)).toBe("impossible");
    expect(kindOf(`${" ".repeat(2_000)}x`)).toBe("empty");
  });

  test("is cut by characters, and each character that cannot be shown is replaced", () => {
    const clean = (agent: string) => cleanAgent(agent).text;
    expect(clean(`\u{1f600}`.repeat(1_025))).toBe("\u{1f600}".repeat(1_024));
    expect(clean("a\ud800\u0000\u007f\u009f\udfff\u00a0\u{1f600}")).toBe(
      "a\ufffd\ufffd\ufffd\ufffd\ufffd\u00a0\u{1f600}",
    );
  });
});

test("Every text has one kind of agent, however long it is", () => {
  const kinds = ["empty", "headless", "scripted", "impossible", "browser", "application"];
  fc.assert(
    fc.property(fc.string({ unit: "binary", maxLength: 1_024 }), (agent) => {
      expect(kinds).toContain(kindOf(agent));
    }),
  );
  for (const part of [
    "a",
    "/1.",
    "(",
    "Mozilla/5.0 (",
    " bot",
    "1.1.1",
    "Version/1 ",
    "Chrome/1.",
  ]) {
    expect(kinds).toContain(kindOf(part.repeat(2_000)));
  }
});
