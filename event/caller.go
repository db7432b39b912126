package event

import (
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"gatehouse/exchange"
)

// appendCallerOne appends what the authorizer found, as REST APIs tell it: the
// context of a custom authorizer beside its principalId, or the claims of a token.
func appendCallerOne(b []byte, x *exchange.Exchange) []byte {
	p := x.Principal
	switch {
	case p == nil || p.Rights != nil && p.Kind == "iam":
		return b
	case hasClaims(p):
		b = append(b, `,"authorizer":{"claims":`...)
		return append(appendClaims(b, p.Claims), '}')
	}
	b = append(b, `,"authorizer":{`...)
	b = appendMember(b, "principalId", p.Subject)
	if p.Kind == "custom" {
		for _, name := range slices.Sorted(maps.Keys(p.Claims)) {
			if name != "principalId" {
				b = appendText(appendEntry(b, name), claimText(p.Claims[name]))
			}
		}
	}
	return append(b, '}')
}

// appendCallerTwo appends it as HTTP APIs do: jwt, lambda or iam.
func appendCallerTwo(b []byte, x *exchange.Exchange) []byte {
	p := x.Principal
	switch {
	case p == nil || p.Kind == "mtls":
		return b
	case p.Kind == "iam":
		b = append(b, `,"authorizer":{"iam":{"accessKey":null`...)
		b = appendMember(b, "accountId", p.Issuer)
		b = appendMember(b, "callerId", p.Subject)
		b = append(b, `,"cognitoIdentity":null,"principalOrgId":null`...)
		if p.Rights != nil {
			b = appendMember(b, "userArn", p.Rights.ARN())
		}
		return append(appendMember(b, "userId", p.Subject), "}}"...)
	case hasClaims(p):
		b = append(b, `,"authorizer":{"jwt":{"claims":`...)
		b = appendClaims(b, p.Claims)
		b = append(b, `,"scopes":`...)
		return append(appendScopes(b, p.Scopes), "}}"...)
	case p.Kind == "custom":
		b = append(b, `,"authorizer":{"lambda":`...)
		return append(appendValue(b, p.Claims), '}')
	}
	b = append(b, `,"authorizer":{"lambda":{`...)
	return append(appendMember(b, "principalId", p.Subject), "}}"...)
}

// hasClaims reports whether somebody issued a token about the caller.
func hasClaims(p *exchange.Principal) bool {
	return p.Kind == "jwt" || p.Kind == "oidc" || p.Kind == "token"
}

func appendScopes(b []byte, scopes []string) []byte {
	if len(scopes) == 0 {
		return append(b, "null"...)
	}
	b = append(b, '[')
	for i, s := range scopes {
		if i > 0 {
			b = append(b, ',')
		}
		b = appendText(b, s)
	}
	return append(b, ']')
}

// appendClaims appends claims as texts, which is what API Gateway makes of them.
func appendClaims(b []byte, claims map[string]any) []byte {
	b = append(b, '{')
	for name, value := range claims {
		b = appendText(appendEntry(b, name), claimText(value))
	}
	return append(b, '}')
}

// claimText writes a list as "[a b]", anything else as it stands.
func claimText(v any) string {
	switch v := v.(type) {
	case string:
		return v
	case json.Number:
		return v.String()
	case bool:
		return strconv.FormatBool(v)
	case float64:
		return strconv.FormatFloat(v, 'f', -1, 64)
	case []any:
		texts := make([]string, len(v))
		for i, item := range v {
			texts[i] = claimText(item)
		}
		return "[" + strings.Join(texts, " ") + "]"
	case nil:
		return "null"
	}
	return string(appendValue(nil, v))
}

func appendValue(b []byte, v any) []byte {
	text, err := json.Marshal(v)
	if err != nil {
		return append(b, "null"...)
	}
	return append(b, text...)
}

// certificateTime is how API Gateway writes the times of a certificate.
const certificateTime = "Jan _2 15:04:05 2006 GMT"

// appendCertificate appends clientCert where it is by it that the caller is known.
func appendCertificate(b []byte, x *exchange.Exchange) []byte {
	if !isCertified(x) {
		return b
	}
	c := x.Conn.Certificates[0]
	b = append(appendKey(b, "clientCert"), '{')
	b = appendMember(b, "clientCertPem", certificatePEM(c))
	b = appendMember(b, "issuerDN", c.Issuer.String())
	b = appendMember(b, "serialNumber", serial(c))
	b = appendMember(b, "subjectDN", c.Subject.String())
	b = append(b, `,"validity":{`...)
	b = appendMember(b, "notAfter", c.NotAfter.UTC().Format(certificateTime))
	b = appendMember(b, "notBefore", c.NotBefore.UTC().Format(certificateTime))
	return append(b, "}}"...)
}

func certificatePEM(c *x509.Certificate) string {
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: c.Raw}))
}

// serial writes a serial number as API Gateway does: a1:b2:c3.
func serial(c *x509.Certificate) string {
	if c.SerialNumber == nil {
		return ""
	}
	var parts []string
	for _, octet := range c.SerialNumber.Bytes() {
		parts = append(parts, fmt.Sprintf("%02x", octet))
	}
	return strings.Join(parts, ":")
}
