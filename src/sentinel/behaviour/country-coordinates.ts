/**
 * The coordinates of countries (pure): ISO 3166-1 alpha-2, and XK for Kosovo (user-assigned). Each country is
 * covered by circles: a rough centre in whole degrees and a radius in km. A country whose parts are far apart
 * has several. The radii are generous: a radius that is too large misses an impossible journey, but one that
 * is too small would accuse a real user.
 */

export interface Coordinates {
  /** Degrees north. */
  readonly latitude: number;
  /** Degrees east. */
  readonly longitude: number;
  readonly radiusKm: number;
}

/** `code latitude longitude radius`, separated by `|` and line breaks. */
const table = `
AD 43 2 50|AE 24 54 350|AF 34 66 750|AG 17 -62 100|AI 18 -63 50|AL 41 20 200|AM 40 45 200
AO -12 18 900|AQ -90 0 3500|AR -36 -64 2100|AS -14 -171 350|AT 48 14 350|AU -27 134 2500
AW 13 -70 50|AX 60 20 80|AZ 40 48 300|BA 44 18 200|BB 13 -60 50|BD 24 90 400|BE 51 5 200
BF 12 -2 500|BG 43 25 300|BH 26 51 60|BI -3 30 150|BJ 10 2 400|BL 18 -63 30|BM 32 -65 40
BN 5 115 100|BO -17 -65 900|BQ 12 -68 60|BQ 17 -63 60|BR -11 -53 2600|BS 24 -77 550|BT 27 90 200
BV -54 3 50|BW -22 24 600|BY 54 28 350|BZ 17 -88 200|CA 56 -96 3300|CC -12 97 50|CD -3 23 1300
CF 7 21 800|CG -1 15 700|CH 47 8 220|CI 8 -6 450|CK -15 -160 900|CL -35 -71 2400|CL -27 -109 50
CM 6 12 750|CN 35 104 2800|CO 4 -73 1100|CO 13 -81 150|CR 10 -84 250|CU 22 -79 650|CV 16 -24 200
CW 12 -69 80|CX -10 106 50|CY 35 33 180|CZ 50 15 300|DE 51 10 500|DJ 12 43 150|DK 56 10 400
DM 15 -61 50|DO 19 -71 250|DZ 29 3 1350|EC -2 -79 450|EC 0 -91 250|EE 59 26 250|EG 27 30 800
EH 24 -13 500|ER 15 39 500|ES 40 -4 850|ES 28 -16 300|ET 9 40 850|FI 64 26 750|FJ -17 178 700
FK -52 -59 200|FM 7 155 2000|FO 62 -7 80|FR 46 2 700|GA -1 12 450|GB 54 -3 750|GD 12 -62 50
GE 42 44 300|GF 4 -53 300|GG 49 -3 50|GH 8 -1 450|GI 36 -5 50|GL 71 -42 1500|GM 13 -15 250
GN 10 -11 450|GP 16 -62 80|GQ 2 10 700|GR 39 22 650|GS -54 -37 700|GT 16 -90 300|GU 13 145 50
GW 12 -15 200|GY 5 -59 450|HK 22 114 50|HM -53 73 50|HN 15 -87 350|HR 45 16 350|HT 19 -72 250
HU 47 19 300|ID -2 118 2700|IE 53 -8 300|IL 31 35 250|IM 54 -5 50|IN 23 79 1900|IN 10 93 450
IO -7 72 200|IQ 33 44 600|IR 32 54 1200|IS 65 -19 350|IT 42 12 800|JE 49 -2 50|JM 18 -77 150
JO 31 37 350|JP 36 138 2400|KE 0 38 650|KG 41 75 550|KH 13 105 350|KI 0 -175 2700|KM -12 44 150
KN 17 -63 50|KP 40 127 400|KR 36 128 400|KW 29 48 150|KY 19 -81 200|KZ 48 67 1700|LA 18 104 600
LB 34 36 130|LC 14 -61 50|LI 47 10 30|LK 8 81 300|LR 6 -9 350|LS -30 28 180|LT 55 24 250|LU 50 6 70
LV 57 25 300|LY 27 17 1000|MA 31 -7 1100|MC 44 7 30|MD 47 29 250|ME 43 19 130|MF 18 -63 30
MG -19 47 850|MH 9 168 700|MK 42 22 150|ML 15 -4 1100|MM 20 96 1200|MN 47 104 1300|MO 22 114 40
MP 16 146 500|MQ 15 -61 60|MR 19 -12 800|MS 17 -62 50|MT 36 14 50|MU -20 58 700|MV 3 73 500
MW -13 34 500|MX 24 -102 1900|MY 4 109 1150|MZ -18 36 1100|NA -22 17 850|NC -21 166 400|NE 16 8 1000
NF -29 168 40|NG 9 8 750|NI 13 -85 300|NL 52 5 220|NO 64 12 1100|NP 28 84 500|NR -1 167 40
NU -19 -170 50|NZ -41 174 1100|OM 21 57 650|PA 9 -80 350|PE -10 -76 1200|PF -17 -149 1700
PG -6 147 1000|PH 12 122 1050|PK 30 70 1000|PL 52 19 450|PM 47 -56 50|PN -25 -130 400|PR 18 -66 130
PS 32 35 100|PT 39 -8 350|PT 33 -17 100|PT 38 -28 400|PW 7 134 450|PY -23 -58 600|QA 25 51 120
RE -21 56 60|RO 46 25 400|RS 44 21 300|RU 56 45 1700|RU 60 80 1900|RU 58 130 2700|RU 66 178 900
RW -2 30 150|SA 24 45 1200|SB -9 160 800|SC -5 55 1200|SD 16 30 1000|SE 62 16 900|SG 1 104 40
SH -16 -6 2900|SI 46 15 150|SJ 78 17 900|SK 49 19 250|SL 8 -12 220|SM 44 12 30|SN 14 -14 400
SO 6 46 950|SR 4 -56 300|SS 7 30 700|ST 1 7 150|SV 14 -89 160|SX 18 -63 30|SY 35 38 400
SZ -26 31 120|TC 22 -72 120|TD 15 19 1000|TF -49 69 3000|TG 9 1 350|TH 15 101 1100|TJ 39 71 400
TK -9 -172 150|TL -9 126 200|TM 39 59 700|TN 34 9 500|TO -20 -175 500|TR 39 35 850|TT 11 -61 120
TV -8 178 450|TW 24 121 300|TZ -6 35 750|UA 49 31 750|UG 1 32 400|UM 19 167 50|UM 28 -177 100
UM 17 -170 50|UM 6 -162 100|US 38 -97 2700|US 62 -152 1300|US 53 -175 950|US 21 -157 500
UY -33 -56 350|UZ 41 64 850|VA 42 12 20|VC 13 -61 80|VE 8 -66 950|VG 18 -65 70|VI 18 -65 80
VN 16 107 950|VU -16 167 550|WF -14 -177 200|WS -14 -172 120|XK 43 21 100|YE 15 48 800|YT -13 45 50
ZA -29 25 1000|ZM -14 28 800|ZW -19 30 500`;

const coordinatesByCountry = new Map<string, readonly Coordinates[]>();
for (const line of table.trim().split(/[|\n]/)) {
  const [code = "", ...numbers] = line.split(" ");
  const [latitude = 0, longitude = 0, radiusKm = 0] = numbers.map(Number);
  coordinatesByCountry.set(code, [...coordinatesOf(code), { latitude, longitude, radiusKm }]);
}

/**
 * @param country ISO 3166-1 alpha-2 in capitals
 * @returns the circles of the country; empty for any other text
 */
export function coordinatesOf(country: string): readonly Coordinates[] {
  return coordinatesByCountry.get(country) ?? [];
}
