// Package dns looks names up and says for how long the answer holds, which the
// standard library's resolver keeps to itself.
//
// A Resolver does as the system is configured to: /etc/hosts and DNS in the
// order of /etc/nsswitch.conf, the servers, search list and options of
// /etc/resolv.conf. Or it asks servers that it is given, and nobody else. The
// wire format is the library miekg/dns's. A lookup runs on the caller's
// goroutine, and starts none.
//
// It checks no rule about addresses: package dial does, on what is about to be
// connected to.
package dns
