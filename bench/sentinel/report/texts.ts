/** The texts of the report docs/sentinel-evaluation.md (pure). */
import type { Year } from "../year.ts";
import { formatPercent } from "./format.ts";

export const missedText = `Where a bar is missed, the last column tells why: it has the best of the models that were trained on labelled attacks of
these very kinds. If that model misses the bar too, its features (those of the Freeman sum, time, and how often the user changes) do not
hold the evidence on this data, and further evidence is needed: a known device, or the optional fields of the context. If
it meets the bar, Sentinel weighs the evidence less well than a model that knew these attackers.

Sentinel keeps an order that the trained models do not keep: of one user's sessions, one from farther away is never less
risky. So an attack in the victim's own network or block ranks below that user's journeys, and attackers with the
victim's browser stay just below a challenge at the defaults, because travellers have it too. This costs the targeted and
the very targeted attacker most.

One policy for all attackers divides the real logins that may be challenged. What it spends on attackers with the
victim's own agent or network, of which the Freeman sum catches almost none, is missing for attackers that know nothing;
a threshold for one attacker shows what is possible without that division. A stated risk that is wrong has too few real
logins or attacks near it, or a mixture of attackers other than the one that Sentinel assumes.`;

export const protocolText = `## What is compared

A year of logins has seven months in which only the population grows, two months of validation (for the
thresholds) and three months of test (for the results). A score depends on earlier logins only, and models
learn from real logins only. In the **matched** comparison the real logins are those 2 to 72 hours after the
previous one. For each of them, each kind of attacker makes one attack on the same user, with the same
history. The time since the previous login is copied from another real login: one with a history of similar
length, whose previous login was at the same hour. History and time are therefore those of real logins, and
only network and agent can reveal an attack.

| attacker | network and agent |
| --- | --- |
| naive | those of a person who is not a user, at that hour |
| VPN | the same, of a person in the victim's most common country |
| targeted | the victim's last agent, and an address in the victim's last network that the victim never had |
| very targeted | the victim's last agent, and a new address in the victim's most common /24 (half of them) or /20, at the victim's own hours |
| stuffing | those of a naive attacker, as one of 10 to 300 identities tried from one /24 in ten minutes; the others are counted, not simulated |
| slow stuffing | one network and one agent for all victims of a day, those of a naive attacker; at most three identities from one /24 in ten minutes |
| relay at a hoster | phishing: the browser that the victim has in hand, at the time at which the victim logs in, from a data centre |
| relay, residential | the same, from the network of a person in the victim's most common country |
| stolen cookie | the victim's last agent, half of them from the victim's country, the others from any |

Attackers behave like users: their networks and agents are drawn from the logins of generated people who are
not users. Only the relay at a hoster has servers of its own. The VPN attacker is what others call a residential
proxy in the same country. No list of bad addresses and no list of hosters is used. Known devices are not used
either: with them, a stolen cookie is recognised less, and everybody else more.

The years are made twice. The **matched data** has the addresses of sentinel-2's evaluation, where 90 % of new
leases stay in the same /20. The **data with published locality** has what the literature says: almost half of the
changes leave the range of the network table, which stands for a BGP prefix; carriers share addresses; homes and
phones have IPv6 with privacy addresses and renumbering; offices have thirty users and two addresses.

Seeds 101 and 102 are for tuning. The seeds of this report were never used for it.

| model | definition |
| --- | --- |
| random | a random number |
| SIMPLE | the share of seven features (address, ASN, country, agent, browser, OS, device) that the user never had |
| EXTEND | Freeman et al. (NDSS 2016) as its open reproduction computes it |
| Freeman sum | the same idea, as the published figures use it: the sum of seven smoothed log-ratios |
| Sentinel | the guard's own code (\`src/guard/decisions/assess.ts\`), with its population counted again every week |

EXTEND and the Freeman sum use addresses. Sentinel uses addresses, blocks and time.`;

export const publishedText = `The published figures (_in italics_) are those of the data set on risk-based authentication (RBA). They
compare attacks with all real logins of three months, so the table under "As in operation" is closer to them.
They belong to the Freeman sum and to the best model, which was trained on attackers of the same kinds.
Sentinel was trained on no attack. The shares of the kinds of attacker, how soon a user's own changes count, and the
calibration were set on two other years (seeds 101 and 102), most recently after this evaluation had missed the
bars of the targeted attacker (AUC 0.933, recall 0.090); see [sentinel.md](sentinel.md#where-the-weights-come-from).`;

export const readingText = `## The other reading of the published shares

The source counts a value as new if the account has no earlier login, so its shares of new countries
(16 %), networks (23 %) and agents (52 %) include first logins, about a seventh of its sample. The generator is
calibrated to that. If these were the shares among logins *with* a history, people would change these
values far more often (half of them would use exits in changing countries), and the data would be harder for
every model:`;

export const hardnessText = `Where our Freeman sum is above the published one, our data is easier, and meeting the bar means
less. Attackers that know nothing about the victim are somewhat easier here, because real logins agree in all
facts of agents and networks, not only in the published shares. Targeted attackers are harder for a model of habits
alone: many real logins come from a new address, as these attackers do, and with a new agent, which these
attackers never have.`;

export function renderTargeted(years: readonly Year[]): string {
  const { newAddressSoon, newValuesSoon } = years[0]?.summary ?? {};
  return `The targeted attacker is hard to recognise: network and agent are the victim's, so only the address differs.
Of the real logins that come 2 to 72 hours after the previous one, ${formatPercent(newAddressSoon)} also have a new address. ${formatPercent(newValuesSoon?.agent)} have a new
agent, and such a login looks more suspicious than a targeted attack. The remaining evidence is how a new
address in a known network fits the time since the last login, whether its block is known, and how often this
user had new addresses there.`;
}

export function renderLimits(years: readonly Year[]): string {
  const reuse = years[0]?.summary.newAddress ?? Number.NaN;
  return `## What to keep in mind

- The matched comparison is our own. It leaves out logins that come weeks after the previous one, often
  with a new network or browser, so for models without time it is easier than the comparison as in operation.
- Some rates are assumptions, because nothing is published about them: how long homes keep addresses, how people
  travel and when they log in. \`bench/sentinel/generator/rates.ts\` states for each number whether it is published,
  calibrated or assumed. ${(reuse * 100).toFixed(0)} % of logins with a history have a new address. This
  share determines how well a model can recognise a targeted attacker, and no source for it was found.
- The rates were set before the first run of Sentinel on the data, by the shares above alone. The length of
  leases, the addresses of exits and the reading of the shares of new values were changed once before that run:
  EXTEND, the only model at that point, did far worse than published, because the generated people had new values
  implausibly often. Later, disguised scrapers were removed from the list of agents (a check of browser versions
  had found them), and the shares were calibrated again. No rate was changed after the first run of Sentinel.
  The rates of the published locality were set before the first run of Sentinel 3, by the share of changes that leave a
  range.
- Published country shares are those of all rows, nearly half of which are attempts on accounts that do not
  exist. Attackers share the country of 53 % of their victims, which is impossible if 42 % of people are
  Norwegian. The share of Norway is therefore set to match that overlap.
- Agents contain less information today than in 2020, when the published figures were measured: versions of
  systems and patches of browsers are hidden. Models that rely on agents are less accurate
  for this reason.
- The matched data has IPv4 only, as the RBA data has. Neither data set has failed logins, lists of addresses, known
  devices, or an attacker that uses the victim's own connection.
- The trained models are tested on attackers of the kinds that they were trained on. Nobody has such labels when a
  service begins.
- A kind of attacker that the data lacks is in no figure. Reliability is measured for 5 % of attacks, an equal part
  from each attacker of the table above; with another mixture, the observed shares differ.
- Very targeted attackers are in shared blocks, where their victims are. The column "network" above
  shows that; it is not an error of the generator.`;
}
