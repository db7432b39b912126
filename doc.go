// Package gatehouse assembles the rooms into a gateway. It holds no logic of
// its own: what a request meets, and in which order, stands in path.go; what an
// operator may write, in config.go; how a new configuration takes over from the
// old one, in reload.go.
//
//	client
//	  |
//	edge        socket, TLS, HTTP; who is connected; the request made clean
//	  |
//	entry       the Exchange begins; the snapshot is loaded, once
//	  |
//	route       host + method + path -> a chain
//	  |
//	the chain   compress  cors  addresses  limits  throttle  waf  auth
//	  |         authorize  cedar  usage  throttle  validate  limits  usage
//	  |         canary  compress  identity  mapping  transform  mapping  method
//	  |         mirror  (observe around all of it; cache is to come)
//	  |
//	target      upstream, websocket, function, mock, redirect
//
// A Config is compiled into a Snapshot, which never changes and holds nothing
// that must be closed. What outlives a reload, such as sockets, pools, buckets and
// fetched keys, is with the keepers.
package gatehouse
