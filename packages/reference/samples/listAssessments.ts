import { EdgeIdp } from "@edge-idp/sdk";

const { IDP_TOKEN = "" } = process.env;
const idp = new EdgeIdp({
  url: "https://idp.example.com",
  token: IDP_TOKEN,
});

for await (const assessment of idp.sentinel.assessments(
  {
    recommendation: "deny",
    min_score: 0.9,
  },
)) {
  console.log(
    assessment.assessment_id,
    assessment.risk_score,
  );
}
