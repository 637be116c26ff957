// oidc-provider as a national identity provider, with its own pages. It knows one citizen; who logs in is that one.
import Provider from 'oidc-provider'

const [port, nik, name, birthdate, redirectUri, keys] = process.argv.slice(2)
const jwks = JSON.parse(keys)
const issuer = `http://127.0.0.1:${port}`

const provider = new Provider(issuer, {
  clients: [
    {
      client_id: 'satu-loket',
      redirect_uris: [redirectUri],
      response_types: ['code'],
      grant_types: ['authorization_code'],
      token_endpoint_auth_method: 'private_key_jwt',
      token_endpoint_auth_signing_alg: jwks.keys[0].alg,
      jwks,
    },
  ],
  claims: { openid: ['sub'], profile: ['name', 'birthdate'], nik: ['nik'] },
  scopes: ['openid', 'profile', 'nik'],
  clientAuthMethods: ['private_key_jwt'],
  enabledJWA: { clientAuthSigningAlgValues: [jwks.keys[0].alg] },
  findAccount: (_, id) => ({ accountId: id, claims: () => ({ sub: id, nik, name, birthdate }) }),
})
provider.listen(Number(port), '127.0.0.1', () => console.log('{}'))
