package event

import (
	"net/http"
	"strings"

	"gatehouse/exchange"
)

// AppendTwo appends the event of a request in payload format 2.0, that of HTTP
// APIs: names of headers in small letters, values of one name joined by commas,
// cookies apart, and nothing for what is absent. A body is in base64 unless it is
// text/*, JSON, JavaScript or XML.
func AppendTwo(b []byte, q *Request) []byte {
	x := q.Exchange
	b = append(b, `{"version":"2.0"`...)
	b = appendMember(b, "routeKey", x.Route)
	b = appendHead(b, q)
	if len(x.Params) > 0 {
		b = appendParams(append(b, `,"pathParameters":`...), x.Params)
	}
	if len(x.Variables) > 0 {
		b = appendVariables(append(b, `,"stageVariables":`...), x.Variables)
	}
	return appendRest(b, q, x.Route, x.Stage)
}

// AppendURL appends the event of a request to a function URL: format 2.0 for a
// caller that knows no routes and no stages.
func AppendURL(b []byte, q *Request) []byte {
	b = append(b, `{"version":"2.0","routeKey":"$default"`...)
	b = appendHead(b, q)
	return appendRest(b, q, "$default", "$default")
}

func appendHead(b []byte, q *Request) []byte {
	x := q.Exchange
	b = appendPath(b, "rawPath", x, 0)
	b = appendMember(b, "rawQueryString", x.Path.Asked())
	b = appendCookies(b, q.HTTP.Header["Cookie"])
	b = appendHeadersTwo(b, q.HTTP)
	s := borrow()
	defer s.free()
	if s.query(x.Path.Asked()); len(s.pairs) > 0 {
		b = appendJoined(append(b, `,"queryStringParameters":`...), s.pairs)
	}
	return b
}

func appendRest(b []byte, q *Request, route, stage string) []byte {
	b = append(b, `,"requestContext":{`...)
	b = appendContextTwo(b, q, route, stage)
	b = append(b, '}')
	if len(q.Body) == 0 {
		return append(b, `,"isBase64Encoded":false}`...)
	}
	return append(appendBody(b, q.Body, isText(q.HTTP.Header)), '}')
}

func appendCookies(b []byte, lines []string) []byte {
	if len(lines) == 0 {
		return b
	}
	b = append(b, `,"cookies":[`...)
	for _, line := range lines {
		for cookie := range strings.SplitSeq(line, ";") {
			if cookie = strings.Trim(cookie, " \t"); cookie == "" {
				continue
			}
			if b[len(b)-1] != '[' {
				b = append(b, ',')
			}
			b = appendText(b, cookie)
		}
	}
	return append(b, ']')
}

func appendHeadersTwo(b []byte, r *http.Request) []byte {
	b = append(b, `,"headers":{"host":`...)
	b = appendText(b, r.Host)
	for name, values := range r.Header {
		if name == "Cookie" || len(values) == 0 {
			continue
		}
		b = append(b, ',', '"')
		for i := 0; i < len(name); i++ {
			c := name[i]
			if 'A' <= c && c <= 'Z' {
				c += 'a' - 'A'
			}
			b = append(b, c) // a token: nothing to escape
		}
		b = append(b, '"', ':', '"')
		for i, value := range values {
			if i > 0 {
				b = append(b, ',')
			}
			b = appendEscaped(b, value)
		}
		b = append(b, '"')
	}
	return append(b, '}')
}

func appendContextTwo(b []byte, q *Request, route, stage string) []byte {
	x := q.Exchange
	b = appendMember(b, "accountId", q.Account)
	b = appendMember(b, "apiId", x.API)
	if isCertified(x) {
		b = append(b, `,"authentication":{`...)
		b = append(appendCertificate(b, x), '}')
	}
	b = appendCallerTwo(b, x)
	b = appendMember(b, "domainName", x.Host)
	b = appendMember(b, "domainPrefix", label(x.Host))
	b = append(b, `,"http":{`...)
	b = appendMember(b, "method", x.Method)
	b = appendPath(b, "path", x, 0)
	b = appendMember(b, "protocol", x.Proto)
	b = appendClient(b, x)
	b = appendMember(b, "userAgent", userAgent(q.HTTP))
	b = append(b, '}')
	b = appendMember(b, "requestId", x.ID)
	b = appendMember(b, "routeKey", route)
	b = appendMember(b, "stage", stage)
	b = appendTime(b, "time", x.Start)
	return appendNumber(b, "timeEpoch", x.Start.UnixMilli())
}

func isCertified(x *exchange.Exchange) bool {
	return x.Principal != nil && x.Principal.Kind == "mtls" && len(x.Conn.Certificates) > 0
}

// label returns the first label of a host.
func label(host string) string {
	l, _, _ := strings.Cut(host, ".")
	return l
}
