package main

import "strings"

// welcome is what to try; every line that is a command works when pasted into
// a shell in the folder that the example was started from.
func (e example) welcome(authority string) string {
	return strings.NewReplacer("GATEHOUSE", e.gatehouse, "CONFIG", e.config, "CA", authority).Replace(`
The shop is open. Interrupt with Ctrl-C.

  shop     https://localhost:8443/public/   (your browser does not know the gateway's own authority and will warn)
  metrics  http://127.0.0.1:9901/metrics
  log      examples/shop/data/access.log

Anybody may look around, but orders need a token:

  curl --cacert CA https://localhost:8443/public/products
  curl --cacert CA https://localhost:8443/orders

As alice, who may read her orders:

  TOKEN=$(GATEHOUSE token -c CONFIG --api shop --authorizer customers --subject alice --scope orders.read)
  curl --cacert CA -H "Authorization: Bearer $TOKEN" https://localhost:8443/orders

She may not place any until her token says so:

  curl --cacert CA -H "Authorization: Bearer $TOKEN" -d '{"lines":[{"sku":"mug-blue","quantity":1}]}' https://localhost:8443/orders
  TOKEN=$(GATEHOUSE token -c CONFIG --api shop --authorizer customers --subject alice --scope orders.read --scope orders.write)
  curl --cacert CA -H "Authorization: Bearer $TOKEN" -d '{"lines":[{"sku":"mug-blue","quantity":1}]}' https://localhost:8443/orders

A person logs in with a browser, as alice or bob, at https://localhost:8443/account and
is sent back there; what is no browser gets 401:

  curl --cacert CA https://localhost:8443/account

A partner's programs sign with an access key, as for AWS. The courier's policy lets
it read, and no more:

  curl --cacert CA --aws-sigv4 aws:amz:local:execute-api --user AKIAIOSFODNN7EXAMPLE:wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY https://localhost:8443/partners/orders
  curl --cacert CA --aws-sigv4 aws:amz:local:execute-api --user AKIAIOSFODNN7EXAMPLE:wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY -X DELETE https://localhost:8443/partners/orders

A metered client: an API key, of which a usage plan lets 1000 requests a day through:

  KEY=$(GATEHOUSE keys create -c CONFIG --plan reader --name acme | awk '/^value/ {print $2}')
  curl --cacert CA -H "x-api-key: $KEY" https://localhost:8443/metered/products

Why was that answer given? Every answer has an id in its x-amzn-requestid header:

  ID=$(curl -s --cacert CA -o /dev/null -w '%header{x-amzn-requestid}' https://localhost:8443/orders)
  GATEHOUSE explain -c CONFIG $ID

`)
}
