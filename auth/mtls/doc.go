// Package mtls knows callers by the certificates that they showed when they
// connected (RFC 8446 section 4.4.2). The edge asks for one on the domains of APIs
// that use it, and takes any: it is verified here, for every request, since
// connections outlive what the configuration and the calendar say of them.
package mtls
