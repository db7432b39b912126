package cloudwatch

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

type definition struct {
	namespace, name, unit string
	family                family
	shape                 shape
}

const (
	gatewayNamespace = "AWS/ApiGateway"
	balancer         = "AWS/NetworkELB"
	groups           = "AWS/ApplicationELB"
	firewall         = "AWS/WAFV2"
	edge             = "AWS/CloudFront"

	requests    = "gatehouse_requests_total"
	latency     = "gatehouse_request_duration_seconds"
	integration = "gatehouse_integration_duration_seconds"
	received    = "gatehouse_request_bytes_total"
	sent        = "gatehouse_response_bytes_total"

	clientErrors = `code=~"4.."`
	serverErrors = `code=~"5.."`
)

// definitions are the metrics that have something to stand for.
func definitions() []definition {
	routes, none := routeFamily{}, plain{}
	listeners := plain{"LoadBalancer": "listener"}
	targets := plain{"TargetGroup": "service"}
	acls := plain{"WebACL": "acl", "Rule": "rule"}
	waf := func(name, more string) definition {
		return definition{firewall, name, "Count", acls, volume{metrics: []string{"gatehouse_waf_requests_total"}, more: []string{more}}}
	}
	total := func(namespace, name string, f family, metric string) definition {
		return definition{namespace, name, "Count", f, volume{metrics: []string{metric}}}
	}
	return []definition{
		{gatewayNamespace, "Count", "Count", routes, flag{requests, ""}},
		{gatewayNamespace, "4XXError", "Count", routes, flag{requests, clientErrors}},
		{gatewayNamespace, "5XXError", "Count", routes, flag{requests, serverErrors}},
		{gatewayNamespace, "4xx", "Count", routes, flag{requests, clientErrors}},
		{gatewayNamespace, "5xx", "Count", routes, flag{requests, serverErrors}},
		{gatewayNamespace, "Latency", "Milliseconds", routes, spread{latency}},
		{gatewayNamespace, "IntegrationLatency", "Milliseconds", routes, spread{integration}},
		{gatewayNamespace, "DataProcessed", "Bytes", routes, volume{metrics: []string{received, sent}, requests: latency + "_count"}},

		{balancer, "ActiveFlowCount", "Count", listeners, level{"gatehouse_connections_open"}},
		total(balancer, "NewFlowCount", listeners, "gatehouse_connections_accepted_total"),
		total(balancer, "RejectedFlowCount", listeners, "gatehouse_connections_refused_total"),
		total(balancer, "ClientTLSNegotiationErrorCount", listeners, "gatehouse_connections_handshake_errors_total"),
		{balancer, "HealthyHostCount", "Count", targets, level{"gatehouse_service_targets_healthy"}},
		{balancer, "UnHealthyHostCount", "Count", targets, level{"gatehouse_service_targets_unhealthy"}},
		total(groups, "RequestCount", targets, "gatehouse_upstream_requests_total"),
		total(groups, "TargetConnectionErrorCount", targets, "gatehouse_upstream_connect_failures_total"),

		waf("AllowedRequests", `action="allow"`),
		waf("BlockedRequests", `action="block"`),
		waf("CountedRequests", `action="count"`),
		waf("PassedRequests", `action="allow", rule="Default_Action"`),

		{edge, "Requests", "Count", none, flag{requests, ""}},
		{edge, "BytesDownloaded", "Bytes", none, volume{metrics: []string{sent}}},
		{edge, "BytesUploaded", "Bytes", none, volume{metrics: []string{received}}},
		{edge, "4xxErrorRate", "Percent", none, share{flag{requests, clientErrors}}},
		{edge, "5xxErrorRate", "Percent", none, share{flag{requests, serverErrors}}},
		{edge, "TotalErrorRate", "Percent", none, share{flag{requests, `code=~"[45].."`}}},
		{edge, "OriginLatency", "Milliseconds", none, spread{integration}},
	}
}

// family says what dimensions stand for.
type family interface {
	matchers(map[string]string) ([]string, error)
	dimensions() []string
}

// plain is dimensions that are labels by another name.
type plain map[string]string

func (p plain) dimensions() []string { return slices.Sorted(maps.Keys(p)) }

func (p plain) matchers(dimensions map[string]string) (out []string, err error) {
	for _, name := range slices.Sorted(maps.Keys(dimensions)) {
		label := p[name]
		if label == "" {
			for _, l := range p {
				if l == strings.ToLower(name) {
					label = l
				}
			}
		}
		if label == "" {
			return nil, unknown(name, p)
		}
		out = append(out, label+"="+strconv.Quote(dimensions[name]))
	}
	return out, nil
}

func unknown(name string, f family) error {
	if all := f.dimensions(); len(all) > 0 {
		return fmt.Errorf("it has no dimension %q: it has %s", name, strings.Join(all, ", "))
	}
	return fmt.Errorf("it has no dimensions, and so no %q", name)
}

// routeFamily is dimensions of requests, in API Gateway's words or in ours.
type routeFamily struct{}

func (routeFamily) dimensions() []string {
	return []string{"ApiName", "Stage", "Method", "Resource"}
}

func (f routeFamily) matchers(dimensions map[string]string) (out []string, err error) {
	method, resource := "", ""
	for _, name := range slices.Sorted(maps.Keys(dimensions)) {
		value := dimensions[name]
		switch name {
		case "ApiName", "ApiId", "api":
			out = append(out, "api="+strconv.Quote(value))
		case "Stage", "stage":
			out = append(out, "stage="+strconv.Quote(value))
		case "Route", "route":
			out = append(out, "route="+strconv.Quote(value))
		case "Method", "method":
			method = value
		case "Resource", "resource":
			resource = value
		default:
			return nil, unknown(name, f)
		}
	}
	if method == "" && resource == "" {
		return out, nil
	}
	return append(out, "route=~"+strconv.Quote(pattern(method, resource))), nil
}

// pattern matches the routes of a method, or of ANY, and of a resource; "" stands for
// every one.
func pattern(method, resource string) string {
	first, rest := "[A-Z]+", ".*"
	if method != "" {
		first = "(" + regexp.QuoteMeta(method) + "|ANY)"
	}
	if resource != "" {
		rest = regexp.QuoteMeta(resource)
	}
	return first + " " + rest
}
