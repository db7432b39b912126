// Package oidc lets people log in with their browser at an OpenID provider
// (OpenID Connect Core 1.0: the authorization code flow with PKCE), and knows them
// by a sealed cookie from then on.
package oidc
