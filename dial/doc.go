// Package dial is the one outbound dialer: every connection that Gatehouse
// opens, to services, key servers, webhooks, is opened here, under rules that
// are checked on the address itself after names have been resolved.
//
// Two rules hold. Nobody reaches the gateway's own control: the addresses
// given to SetOwn are refused to every Dialer made from the one that got them.
// And a Public dialer, for URLs that somebody else than the operator wrote,
// reaches public addresses only, besides those that the operator lists.
package dial
