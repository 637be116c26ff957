// A frontend's way in, typed by the generated schema only: who am I, which services are there, open a draft.
import type { components, paths } from "./schema.js";

type Profile = paths["/v1/me"]["get"]["responses"][200]["content"]["application/json"];
type ServicePage = paths["/v1/services"]["get"]["responses"][200]["content"]["application/json"];
type NewCase = paths["/v1/cases"]["post"]["requestBody"]["content"]["application/json"];
type CaseView = components["schemas"]["CaseView"];
type Problem = components["schemas"]["Problem"];
type OpenHeaders = paths["/v1/cases"]["post"]["parameters"]["header"];

const [url, token] = process.argv.slice(2) as [string, string];
const authorization = { Authorization: `Bearer ${token}` };

async function get<Answer>(path: keyof paths): Promise<Answer> {
  return (await (await fetch(url + path, { headers: authorization })).json()) as Answer;
}

async function open(body: NewCase): Promise<CaseView> {
  const headers: OpenHeaders = { "Idempotency-Key": crypto.randomUUID() };
  const answer = await fetch(`${url}/v1/cases`, {
    method: "POST",
    headers: { ...authorization, ...headers, "Content-Type": "application/json" } as Record<string, string>,
    body: JSON.stringify(body),
  });
  if (!answer.ok) {
    const problem = (await answer.json()) as Problem;
    throw new Error(problem.code);
  }
  return (await answer.json()) as CaseView;
}

const me = await get<Profile>("/v1/me");
const services = await get<ServicePage>("/v1/services");
const service = services.items.find((each) => each.integration_mode === "api");
if (service === undefined) throw new Error("no service is handed in here");
const draft = await open({ service: service.slug, form: {}, draft: true });
const action: "submit" | "wait" | "answer" | "rate" | undefined = draft.next_action?.code;
console.log(JSON.stringify({ level: me.assurance_level, status: draft.status, action }));

export {};
