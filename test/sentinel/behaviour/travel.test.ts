import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { coordinatesOf } from "../../../src/sentinel/behaviour/country-coordinates.ts";
import {
  computeMinDistanceKm,
  findImpossibleTravel,
  isSatelliteNetwork,
} from "../../../src/sentinel/behaviour/travel.ts";

const hour = 60 * 60 * 1000;
const at = Date.UTC(2026, 10, 24);

/** ISO 3166-1 alpha-2, officially assigned. */
const iso =
  `AD AE AF AG AI AL AM AO AQ AR AS AT AU AW AX AZ BA BB BD BE BF BG BH BI BJ BL BM BN BO BQ BR BS
BT BV BW BY BZ CA CC CD CF CG CH CI CK CL CM CN CO CR CU CV CW CX CY CZ DE DJ DK DM DO DZ EC EE EG EH ER ES ET
FI FJ FK FM FO FR GA GB GD GE GF GG GH GI GL GM GN GP GQ GR GS GT GU GW GY HK HM HN HR HT HU ID IE IL IM IN IO
IQ IR IS IT JE JM JO JP KE KG KH KI KM KN KP KR KW KY KZ LA LB LC LI LK LR LS LT LU LV LY MA MC MD ME MF MG MH
MK ML MM MN MO MP MQ MR MS MT MU MV MW MX MY MZ NA NC NE NF NG NI NL NO NP NR NU NZ OM PA PE PF PG PH PK PL PM
PN PR PS PT PW PY QA RE RO RS RU RW SA SB SC SD SE SG SH SI SJ SK SL SM SN SO SR SS ST SV SX SY SZ TC TD TF TG
TH TJ TK TL TM TN TO TR TT TV TW TZ UA UG UM US UY UZ VA VC VE VG VI VN VU WF WS YE YT ZA ZM ZW`.split(
    /\s+/,
  );

/** Capitals and outlying towns: country, degrees north and east. */
const towns = `AE 24.5 54.4|AR -34.6 -58.4|AR -54.8 -68.3|AT 48.2 16.4|AU -32.0 115.9|AU -42.9 147.3
AU -12.5 130.8|AU -27.5 153.0|BD 23.7 90.4|BE 50.8 4.4|BO -16.5 -68.1|BR -3.1 -60.0|BR -8.0 -34.9|BR -30.0 -51.2
BR -10.0 -67.8|BY 53.9 27.6|CA 43.7 -79.4|CA 47.6 -52.7|CA 49.3 -123.1|CA 60.7 -135.1|CA 63.7 -68.5|CH 46.2 6.1
CL -33.4 -70.7|CL -53.2 -70.9|CL -18.5 -70.3|CL -27.1 -109.4|CN 31.2 121.5|CN 43.8 87.6|CN 45.8 126.5
CN 20.0 110.3|CN 39.5 76.0|CO 4.7 -74.1|CO 12.5 -81.7|CU 23.1 -82.4|CU 20.0 -75.8|CZ 50.1 14.4|DE 54.8 9.4
DE 47.6 10.2|DE 51.0 15.0|DK 55.7 12.6|DK 55.1 14.7|DZ 36.8 3.1|DZ 22.8 5.5|EC -0.2 -78.5|EC -0.9 -89.6
EE 59.4 24.7|EG 30.0 31.2|EG 22.4 31.6|ES 40.4 -3.7|ES 28.1 -15.4|ES 39.6 2.7|ET 9.0 38.8|FI 60.2 24.9
FI 69.9 27.0|FR 48.9 2.4|FR 41.9 8.7|GB 51.5 -0.1|GB 60.2 -1.1|GB 54.6 -5.9|GE 41.7 44.8|GL 64.2 -51.7
GR 38.0 23.7|GR 36.4 28.2|ID 5.5 95.3|ID -2.5 140.7|ID -6.2 106.8|IE 53.3 -6.3|IL 32.1 34.8|IN 28.6 77.2
IN 8.5 76.9|IN 27.5 95.0|IN 11.6 92.7|IN 34.1 74.8|IR 35.7 51.4|IR 25.3 60.6|IS 64.1 -21.9|IT 45.1 7.7
IT 35.5 12.6|IT 40.6 17.9|JP 35.7 139.7|JP 26.2 127.7|JP 43.4 145.6|JP 24.4 124.2|KE -1.3 36.8|KR 37.6 127.0
KR 33.5 126.5|KZ 51.2 71.4|KZ 43.7 51.2|KZ 49.9 82.6|LY 32.9 13.2|MA 33.6 -7.6|MA 35.8 -5.8|MN 47.9 106.9
MX 19.4 -99.1|MX 32.5 -117.0|MX 21.2 -86.8|MY 3.1 101.7|MY 5.9 118.1|NG 6.5 3.4|NG 11.8 13.2|NL 52.4 4.9
NO 59.9 10.8|NO 70.1 29.7|NZ -36.9 174.8|NZ -46.4 168.4|PE -12.0 -77.0|PE -3.7 -73.2|PG -9.4 147.2
PH 14.6 121.0|PH 6.1 125.2|PK 24.9 67.0|PK 35.9 74.3|PL 52.2 21.0|PL 53.4 14.6|PT 38.7 -9.1|PT 37.7 -25.7
PT 32.7 -16.9|RO 44.4 26.1|RU 55.8 37.6|RU 43.1 131.9|RU 54.7 20.5|RU 64.7 177.5|RU 53.0 158.7|RU 69.3 88.2
RU 42.9 47.5|RU 52.3 104.3|SA 24.7 46.7|SA 17.0 42.6|SE 59.3 18.1|SE 67.9 20.2|SG 1.4 103.8|TH 13.8 100.5
TH 7.0 100.5|TR 41.0 29.0|TR 38.5 43.4|TW 25.0 121.6|UA 50.5 30.5|UA 48.6 22.3|US 40.7 -74.0|US 32.7 -117.2
US 61.2 -149.9|US 21.3 -157.9|US 24.6 -81.8|US 47.6 -122.3|US 51.9 -176.6|UZ 41.3 69.2|VE 10.5 -66.9
VN 10.8 106.7|VN 21.0 105.8|ZA -33.9 18.4|ZA -26.2 28.0|ZA -29.9 31.0`
  .split(/[|\n]/)
  .map((line) => {
    const [country = "", north = "", east = ""] = line.split(" ");
    return { country, north: Number(north), east: Number(east) };
  });
type Town = (typeof towns)[number];

/** Uses the cosine rule, so that the test does not share a formula with the code. */
function computeKmBetween(one: Town, other: Town): number {
  const radians = (degrees: number) => (degrees * Math.PI) / 180;
  const [a, b] = [radians(one.north), radians(other.north)];
  const cosine =
    Math.sin(a) * Math.sin(b) +
    Math.cos(a) * Math.cos(b) * Math.cos(radians(one.east - other.east));
  return 6_371 * Math.acos(Math.min(1, Math.max(-1, cosine)));
}

const neighbours = `FR-DE FR-ES FR-IT FR-CH FR-BE FR-GB ES-PT ES-MA DE-PL DE-DK DE-NL DE-CZ US-CA US-MX US-CU
US-BS RU-NO RU-FI RU-CN RU-KP RU-US RU-JP RU-UA RU-PL RU-LT RU-GE RU-KZ RU-MN CN-IN CN-VN CN-KR CN-HK CN-PK
CN-AF CN-NP BR-AR BR-PE BR-CO BR-VE BR-GF AR-CL CL-PE IN-PK IN-BD IN-LK IN-MM ID-SG ID-MY ID-PG ID-AU ID-TL
MY-SG MY-TH MY-PH NO-SE SE-FI GB-IE EG-LY EG-IL DZ-MA NG-NE CD-AO ZA-NA ZA-MZ ET-SO SA-YE SA-IQ IR-IQ IR-TR
IR-PK TR-GR TR-SY TR-GE IT-MT IT-TN UA-RO KZ-UZ TH-MM PH-TW JP-KR JP-TW PA-CO GL-CA GL-IS CY-LB HT-DO VE-TT`;

describe("The distance between countries", () => {
  it("has coordinates for every country", () => {
    expect(iso).toHaveLength(249);
    for (const country of [...iso, "XK"]) {
      expect(coordinatesOf(country), country).not.toHaveLength(0);
      for (const { latitude, longitude, radiusKm } of coordinatesOf(country)) {
        expect(Math.abs(latitude)).toBeLessThanOrEqual(90);
        expect(Math.abs(longitude)).toBeLessThanOrEqual(180);
        expect(radiusKm).toBeGreaterThan(0);
      }
    }
  });

  it("is never longer than the distance between two of their towns", () => {
    const tooFar = towns.flatMap((one) =>
      towns
        .filter((other) => other.country !== one.country)
        .filter(
          (other) =>
            (computeMinDistanceKm(one.country, other.country) ?? 0) >
            computeKmBetween(one, other) + 1,
        )
        .map((other) => `${one.country} ${one.north} to ${other.country} ${other.north}`),
    );
    expect(tooFar).toEqual([]);
  });

  it.each([
    ["NO", "NG", 3_500, 6_000],
    ["DE", "SG", 8_500, 10_500],
    ["GB", "AU", 9_000, 15_500],
    ["FR", "US", 2_500, 6_500],
    ["GB", "JP", 5_500, 9_500],
    ["DE", "BR", 5_500, 9_500],
    ["IS", "NZ", 12_000, 18_000],
    ["IN", "GB", 4_000, 7_500],
  ])("is plausible from %s to %s", (one, other, minKm, maxKm) => {
    const distance = computeMinDistanceKm(one, other);
    expect(distance).toBeGreaterThan(minKm);
    expect(distance).toBeLessThan(maxKm);
  });

  it("is the same in both directions, and zero within a country", () => {
    const country = fc.constantFrom(...iso);
    fc.assert(
      fc.property(country, country, (one, other) => {
        expect(computeMinDistanceKm(one, other)).toBe(computeMinDistanceKm(other, one));
        expect(computeMinDistanceKm(one, other)).toBeGreaterThanOrEqual(0);
        expect(computeMinDistanceKm(one, one)).toBe(0);
      }),
    );
  });

  it("is undefined for a text that is not a country code", () => {
    for (const text of ["", "no", "XX", "EU", "constructor", "__proto__", "NO ", "N\0"]) {
      expect(computeMinDistanceKm(text, "NO")).toBeUndefined();
      expect(findImpossibleTravel({ country: text, at }, { country: "NZ", at })).toBeNull();
    }
  });
});

describe("A journey", () => {
  it.each(neighbours.split(/\s+/))("between %s is possible at any time", (pair) => {
    const [one = "", other = ""] = pair.split("-");
    expect(findImpossibleTravel({ country: one, at }, { country: other, at })).toBeNull();
  });

  it("that is too fast is reported with its distance and its time", () => {
    const journey = findImpossibleTravel(
      { country: "NO", at },
      { country: "NG", at: at + 2 * hour },
    );
    expect(journey).toEqual({ kilometres: computeMinDistanceKm("NO", "NG"), hours: 2 });
  });

  it("is possible from the time that an airliner needs", () => {
    const hours = (computeMinDistanceKm("DE", "SG") ?? 0) / 1_000;
    const arriving = (late: number) =>
      findImpossibleTravel({ country: "DE", at }, { country: "SG", at: at + hours * hour + late });
    expect(arriving(-1_000)).not.toBeNull();
    expect(arriving(1_000)).toBeNull();
    expect(arriving(24 * hour)).toBeNull();
  });

  it("has the same result when the clocks of its sessions disagree on their order", () => {
    const [one, other] = [
      { country: "US", at },
      { country: "CN", at: at - hour },
    ];
    expect(findImpossibleTravel(one, other)).toEqual(findImpossibleTravel(other, one));
    expect(findImpossibleTravel(one, other)).not.toBeNull();
  });

  it("is not reported within a country, or when a country is unknown", () => {
    expect(findImpossibleTravel({ country: "US", at }, { country: "US", at })).toBeNull();
    expect(findImpossibleTravel({ country: null, at }, { country: "US", at })).toBeNull();
    expect(findImpossibleTravel({ country: "US", at }, { country: null, at })).toBeNull();
  });
});

it("A satellite network is recognised by its number", () => {
  for (const asn of [14593, 7155, 6621]) expect(isSatelliteNetwork(asn)).toBe(true);
  for (const asn of [2119, 3320, 0, -1, undefined]) expect(isSatelliteNetwork(asn)).toBe(false);
});
