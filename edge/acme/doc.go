// Package acme obtains certificates from a CA by ACME (RFC 8555) and keeps them
// renewed, by the CA's own suggestion (ARI, RFC 9773) or by a fraction of their
// life.
//
// The root compiles a Demand from the configuration: by which section, for which
// names. Its Keeper attends to every name of it on a goroutine of the name's own:
//
//	lease := keeper.Begin()
//	if err := lease.Manage(demand); err != nil { lease.Abort() ... }
//	lease.Commit()
//
// Listeners ask Certificate at every handshake; it never waits. Where it has
// none, they serve another: a CA that is down is no outage.
//
// The CA proves that a name is ours by asking for something at it. What it asks
// for over TLS comes by Challenge, over HTTP by Handler, in DNS by a hook of the
// operator's own. All that goes out goes by the http.Client that Options give.
//
// certmagic obtains, renews and locks, acmez speaks the protocol. Who answers
// challenges, who dials, where files lie and when it is time are the package's
// own: certmagic's ACMEIssuer would listen and dial by itself.
package acme
