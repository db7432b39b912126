package accesslog

import (
	"crypto/x509"
	"encoding/hex"
	"encoding/pem"
	"maps"
	"slices"
	"strings"

	"gatehouse/exchange"
	"gatehouse/observe/escape"
	"gatehouse/observe/trace"
)

// field is a variable. Either function leaves nothing where the value is not
// known.
type field struct {
	text   func(*Record) string                      // escaped when it is printed
	raw    func([]byte, *Record) []byte              // appends what needs no escaping
	safe   func([]byte, *Record, escape.Func) []byte // appends what it has escaped itself
	number bool                                      // a JSON number
	quotes bool                                      // in plain text, stands in quotes of its own
}

// Names returns the variables that there are, without "$context.", in order.
// Beside them, authorizer.claims.NAME and authorizer.NAME are any claim of the
// principal.
func Names() []string { return slices.Sorted(maps.Keys(table())) }

// table is every variable by its name.
func table() map[string]field {
	t := requestFields()
	maps.Copy(t, outcomeFields())
	maps.Copy(t, refusalFields())
	for _, name := range unfilled() {
		t[name] = field{text: func(*Record) string { return "" }}
	}
	return t
}

// unfilled are variables of API Gateway that nothing here has a value for yet,
// or ever.
func unfilled() []string {
	return []string{
		"authenticate.error", "authenticate.latency", "authenticate.status", "authorize.latency", "authorize.status",
		"authorizer.integrationLatency", "authorizer.integrationStatus", "authorizer.latency", "authorizer.requestId", "authorizer.status",
		"awsEndpointRequestId", "awsEndpointRequestId2", "cipherSuite", "customDomain.basePathMatched", "deploymentId",
		"identity.apiKey",
		"identity.cognitoAuthenticationProvider", "identity.cognitoAuthenticationType", "identity.cognitoIdentityId", "identity.cognitoIdentityPoolId",
		"identity.principalOrgId", "identity.vpcId", "identity.vpceId",
		"integration.requestId", "resourceId", "tlsVersion",
		"waf.latency", "wafResponseCode", "webaclArn",
	}
}

func requestFields() map[string]field {
	id := field{text: func(r *Record) string { return r.ID }}
	principal := field{text: principalID}
	return map[string]field{
		"accountId":          {text: func(r *Record) string { return r.Account }},
		"apiId":              {text: func(r *Record) string { return r.API }},
		"stage":              {text: func(r *Record) string { return r.Stage }},
		"routeKey":           {text: func(r *Record) string { return r.Route }},
		"resourcePath":       {text: resourcePath},
		"requestId":          id,
		"extendedRequestId":  id,
		"domainName":         {text: func(r *Record) string { return r.Host }},
		"domainPrefix":       {text: domainPrefix},
		"httpMethod":         {text: func(r *Record) string { return r.Method }},
		"path":               {text: func(r *Record) string { return r.Path.Raw }},
		"queryString":        {safe: queryString},
		"protocol":           {text: func(r *Record) string { return r.Proto }},
		"identity.sourceIp":  {raw: sourceIP},
		"identity.country":   {text: func(r *Record) string { return r.Country }},
		"identity.userAgent": {text: func(r *Record) string { return r.UserAgent }},
		"identity.user":      principal,
		"identity.caller":    principal,
		"identity.apiKeyId":  {text: apiKeyID},
		"identity.userArn":   {text: userARN},
		"identity.accountId": {text: callerAccount},

		"identity.clientCert.clientCertPem":      {text: ofCertificate(certificatePEM)},
		"identity.clientCert.subjectDN":          {text: ofCertificate(func(c *x509.Certificate) string { return c.Subject.String() })},
		"identity.clientCert.issuerDN":           {text: ofCertificate(func(c *x509.Certificate) string { return c.Issuer.String() })},
		"identity.clientCert.serialNumber":       {text: ofCertificate(func(c *x509.Certificate) string { return c.SerialNumber.String() })},
		"identity.clientCert.validity.notBefore": {text: ofCertificate(func(c *x509.Certificate) string { return c.NotBefore.UTC().Format(validity) })},
		"identity.clientCert.validity.notAfter":  {text: ofCertificate(func(c *x509.Certificate) string { return c.NotAfter.UTC().Format(validity) })},

		"authorizer.principalId": principal,
		"xrayTraceId":            {raw: xrayTraceID},
		"traceId":                {raw: traceID},
		"requestTime":            {raw: requestTime},
		"requestTimeEpoch":       {number: true, raw: func(b []byte, r *Record) []byte { return appendInt(b, r.Start.UnixMilli()) }},
	}
}

// outcomeFields are known once the request has ended.
func outcomeFields() map[string]field {
	status := field{number: true, raw: upstreamStatus}
	latency := field{number: true, raw: upstreamLatency}
	failure := field{text: func(r *Record) string { return r.Upstream.Error }}
	return map[string]field{
		"status":          {number: true, raw: func(b []byte, r *Record) []byte { return appendInt(b, int64(r.Writer.Status())) }},
		"responseLength":  {number: true, raw: func(b []byte, r *Record) []byte { return appendInt(b, r.Writer.Bytes()) }},
		"dataProcessed":   {number: true, raw: func(b []byte, r *Record) []byte { return appendInt(b, r.Body.Received()+r.Writer.Bytes()) }},
		"responseLatency": {number: true, raw: func(b []byte, r *Record) []byte { return appendInt(b, r.Latency.Milliseconds()) }},

		"integration.status":            status,
		"integration.integrationStatus": status,
		"integrationStatus":             status,
		"integration.latency":           latency,
		"integrationLatency":            latency,
		"integration.error":             failure,
		"integrationErrorMessage":       failure,

		"upstream.service":      {text: func(r *Record) string { return r.Upstream.Service }},
		"upstream.target":       {text: func(r *Record) string { return r.Upstream.Target }},
		"upstream.attempts":     {number: true, raw: func(b []byte, r *Record) []byte { return appendInt(b, int64(r.Upstream.Attempts)) }},
		"upstream.queueLatency": {number: true, raw: func(b []byte, r *Record) []byte { return appendInt(b, r.Upstream.Queued.Milliseconds()) }},
		"upstream.initLatency":  {number: true, raw: func(b []byte, r *Record) []byte { return appendInt(b, r.Upstream.Init.Milliseconds()) }},
		"aborted":               {number: true, raw: aborted},
		"isCanaryRequest":       {number: true, raw: isCanary},
		"tunnel.bytesIn":        {number: true, raw: tunnelNumber(func(t *exchange.Tunnel) int64 { return t.In })},
		"tunnel.bytesOut":       {number: true, raw: tunnelNumber(func(t *exchange.Tunnel) int64 { return t.Out })},
		"tunnel.end":            {text: tunnelEnd},
		"coding":                {text: func(r *Record) string { return r.Coding.Name }},
		"plainLength":           {number: true, raw: plainLength},
	}
}

func resourcePath(r *Record) string {
	_, path, found := strings.Cut(r.Route, " ")
	if !found {
		return r.Route
	}
	return path
}

func domainPrefix(r *Record) string {
	label, _, _ := strings.Cut(r.Host, ".")
	return label
}

func queryString(b []byte, r *Record, esc escape.Func) []byte {
	return escape.Query(b, clip(r.Path.Query), esc)
}

func sourceIP(b []byte, r *Record) []byte {
	if !r.Client.IsValid() {
		return b
	}
	return r.Client.AppendTo(b)
}

// userARN is the name by which IAM's policies speak of the caller.
func userARN(r *Record) string {
	if r.Principal == nil || r.Principal.Rights == nil {
		return ""
	}
	return r.Principal.Rights.ARN()
}

// callerAccount is the account of a caller whom IAM knows.
func callerAccount(r *Record) string {
	if r.Principal == nil || r.Principal.Rights == nil {
		return ""
	}
	return r.Principal.Issuer
}

// validity is how API Gateway writes the times of a certificate.
const validity = "Jan _2 15:04:05 2006 GMT"

// ofCertificate is what a caller's certificate says, where it is by that the caller
// is known.
func ofCertificate(f func(*x509.Certificate) string) func(*Record) string {
	return func(r *Record) string {
		if r.Principal == nil || r.Principal.Kind != "mtls" || len(r.Conn.Certificates) == 0 {
			return ""
		}
		return f(r.Conn.Certificates[0])
	}
}

func certificatePEM(c *x509.Certificate) string {
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: c.Raw}))
}

func principalID(r *Record) string {
	if r.Principal == nil {
		return ""
	}
	return r.Principal.ID
}

func xrayTraceID(b []byte, r *Record) []byte {
	if r.Trace.ID == [16]byte{} {
		return b
	}
	return trace.AppendRoot(append(b, "Root="...), &r.Trace)
}

func traceID(b []byte, r *Record) []byte {
	if r.Trace.ID == [16]byte{} {
		return b
	}
	return hex.AppendEncode(b, r.Trace.ID[:])
}

func requestTime(b []byte, r *Record) []byte {
	return r.Start.UTC().AppendFormat(b, "02/Jan/2006:15:04:05 -0700")
}

func plainLength(b []byte, r *Record) []byte {
	if r.Coding.Name == "" {
		return appendInt(b, r.Writer.Bytes())
	}
	return appendInt(b, r.Coding.Plain)
}

func upstreamStatus(b []byte, r *Record) []byte {
	if r.Upstream.Status == 0 {
		return b
	}
	return appendInt(b, int64(r.Upstream.Status))
}

func upstreamLatency(b []byte, r *Record) []byte {
	if r.Upstream.Attempts == 0 {
		return b
	}
	return appendInt(b, r.Upstream.Latency.Milliseconds())
}

func isCanary(b []byte, r *Record) []byte {
	switch r.Variant {
	case exchange.Canary:
		return append(b, "true"...)
	case exchange.Stable:
		return append(b, "false"...)
	}
	return b
}

func aborted(b []byte, r *Record) []byte {
	if r.Aborted {
		return append(b, "true"...)
	}
	return append(b, "false"...)
}

func apiKeyID(r *Record) string {
	if r.APIKey == nil {
		return ""
	}
	return r.APIKey.ID
}

func tunnelNumber(of func(*exchange.Tunnel) int64) func([]byte, *Record) []byte {
	return func(b []byte, r *Record) []byte {
		if r.Tunnel == nil || !r.Tunnel.Open {
			return b
		}
		return appendInt(b, of(r.Tunnel))
	}
}

func tunnelEnd(r *Record) string {
	if r.Tunnel == nil {
		return ""
	}
	return r.Tunnel.End
}
