// Package challenge asks browsers to prove that they are some: a page without a
// question to its reader, whose script does some work and gets a cookie for it. Who
// has the cookie is let through for a while.
//
// A challenge and what it earns, the clearance, are sealed: for a host, a web ACL, a
// network (/24, or /64 of IPv6) and until a time. A challenge is solved once.
package challenge
