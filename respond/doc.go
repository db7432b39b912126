// Package respond gives an API's refusals a form of its own, as API Gateway's
// gateway responses do: status, headers, and bodies by media type, with
// variables in them that are escaped for where they stand.
//
// It writes nothing: exchange.Refuse does, and asks here what to write.
package respond
