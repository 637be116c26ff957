// openid-client as an application of an agency, as its manual has it. The browser is somebody else: where it is to go
// is written to standard output, and where it came back to is read from standard input.
import { createInterface } from 'node:readline'
import * as client from 'openid-client'

const [issuer, clientId, clientSecret, redirectUri, afterLogout] = process.argv.slice(2)
const lines = createInterface({ input: process.stdin })[Symbol.asyncIterator]()
const tell = (said) => console.log(JSON.stringify(said))
const hear = async () => new URL((await lines.next()).value)

const config = await client.discovery(
  new URL(issuer),
  clientId,
  {},
  client.ClientSecretBasic(clientSecret),
  { execute: [client.allowInsecureRequests] },
)
client.enableNonRepudiationChecks(config)

const verifier = client.randomPKCECodeVerifier()
const [state, nonce] = [client.randomState(), client.randomNonce()]
const address = client.buildAuthorizationUrl(config, {
  redirect_uri: redirectUri,
  scope: 'openid profile offline_access',
  prompt: 'consent',
  code_challenge: await client.calculatePKCECodeChallenge(verifier),
  code_challenge_method: 'S256',
  state,
  nonce,
  max_age: '3600',
})
tell({ go: address.href })

const tokens = await client.authorizationCodeGrant(config, await hear(), {
  pkceCodeVerifier: verifier,
  expectedState: state,
  expectedNonce: nonce,
  maxAge: 3600,
  idTokenExpected: true,
})
const { sub } = tokens.claims()
const known = await client.fetchUserInfo(config, tokens.access_token, sub)
const renewed = await client.refreshTokenGrant(config, tokens.refresh_token)
const still = await client.fetchUserInfo(config, renewed.access_token, sub)
const before = await client.tokenIntrospection(config, renewed.access_token)

const logout = client.buildEndSessionUrl(config, {
  id_token_hint: renewed.id_token,
  post_logout_redirect_uri: afterLogout,
  state,
})
tell({ go: logout.href })
const back = await hear()
const after = await client.tokenIntrospection(config, renewed.access_token)
const refused = await client.refreshTokenGrant(config, renewed.refresh_token).catch((error) => error.error)

tell({
  name: known.name,
  same: still.sub === sub,
  rotated: renewed.refresh_token !== tokens.refresh_token,
  active: [before.active, after.active],
  back: back.searchParams.get('state') === state,
  refused,
})
process.exit(0)
