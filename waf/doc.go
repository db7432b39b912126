// Package waf holds requests against web ACLs: rules in AWS WAF's model, which
// allow, block, count or challenge before anybody is asked who calls.
package waf
