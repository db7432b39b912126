package event

import (
	"net/http"

	"gatehouse/exchange"
)

// AppendOne appends the event of a request in payload format 1.0, that of REST
// APIs: headers and parameters with their last value and with all of them, null
// for what is absent. Where an API names binary media types, bodies of these are
// in base64, and all others text.
func AppendOne(b []byte, q *Request) []byte {
	x, r := q.Exchange, q.HTTP
	b = append(b, `{"version":"1.0"`...)
	b = appendMember(b, "resource", resource(x))
	b = appendStagePath(b, "path", x)
	b = appendMember(b, "httpMethod", x.Method)
	b = appendHeadersOne(b, r)
	b = appendQueryOne(b, x)
	b = appendMapsOne(b, x)
	b = append(b, `,"requestContext":{`...)
	b = appendContextOne(b, q)
	b = append(b, '}')
	if len(q.Body) == 0 {
		return append(b, `,"body":null,"isBase64Encoded":false}`...)
	}
	text := !q.Binary.Has(bare(first(r.Header["Content-Type"])))
	return append(appendBody(b, q.Body, text), '}')
}

// appendHeadersOne appends the headers with one value each, and with all.
func appendHeadersOne(b []byte, r *http.Request) []byte {
	b = append(b, `,"headers":{"Host":`...)
	b = appendText(b, r.Host)
	for name, values := range r.Header {
		if len(values) > 0 {
			b = appendText(appendEntry(b, name), values[len(values)-1])
		}
	}
	b = append(b, `},"multiValueHeaders":{"Host":[`...)
	b = append(appendText(b, r.Host), ']')
	for name, values := range r.Header {
		if len(values) == 0 {
			continue
		}
		b = append(appendEntry(b, name), '[')
		for i, value := range values {
			if i > 0 {
				b = append(b, ',')
			}
			b = appendText(b, value)
		}
		b = append(b, ']')
	}
	return append(b, '}')
}

func appendQueryOne(b []byte, x *exchange.Exchange) []byte {
	s := borrow()
	defer s.free()
	s.query(x.Path.Asked())
	if len(s.pairs) == 0 {
		return append(b, `,"queryStringParameters":null,"multiValueQueryStringParameters":null`...)
	}
	b = appendLast(append(b, `,"queryStringParameters":`...), s.pairs)
	return appendAll(append(b, `,"multiValueQueryStringParameters":`...), s.pairs)
}

func appendMapsOne(b []byte, x *exchange.Exchange) []byte {
	b = append(b, `,"pathParameters":`...)
	if len(x.Params) == 0 {
		b = append(b, "null"...)
	} else {
		b = appendParams(b, x.Params)
	}
	b = append(b, `,"stageVariables":`...)
	if len(x.Variables) == 0 {
		return append(b, "null"...)
	}
	return appendVariables(b, x.Variables)
}

func appendContextOne(b []byte, q *Request) []byte {
	x := q.Exchange
	b = appendMember(b, "accountId", q.Account)
	b = appendMember(b, "apiId", x.API)
	b = appendCallerOne(b, x)
	b = appendMember(b, "domainName", x.Host)
	b = appendMember(b, "domainPrefix", label(x.Host))
	b = appendMember(b, "extendedRequestId", x.ID)
	b = appendMember(b, "httpMethod", x.Method)
	b = append(appendIdentityOne(append(b, `,"identity":{`...), q), '}')
	b = appendPath(b, "path", x, 0)
	b = appendMember(b, "protocol", x.Proto)
	b = appendMember(b, "requestId", x.ID)
	b = appendTime(b, "requestTime", x.Start)
	b = appendNumber(b, "requestTimeEpoch", x.Start.UnixMilli())
	b = appendMember(b, "resourceId", resource(x))
	b = appendMember(b, "resourcePath", resource(x))
	return appendMember(b, "stage", x.Stage)
}

func appendIdentityOne(b []byte, q *Request) []byte {
	x := q.Exchange
	arn, account, user := "", "", ""
	if p := x.Principal; p != nil && p.Rights != nil {
		arn, account, user = p.Rights.ARN(), p.Issuer, p.Subject
	}
	b = append(b, `"accessKey":null`...)
	b = appendOr(b, "accountId", account)
	b = appendKeyOne(b, x)
	b = appendOr(b, "caller", user)
	b = appendCertificate(b, x)
	b = append(b, `,"cognitoAuthenticationProvider":null,"cognitoAuthenticationType":null,"cognitoIdentityId":null,"cognitoIdentityPoolId":null,"principalOrgId":null`...)
	b = appendClient(b, x)
	b = appendOr(b, "user", user)
	b = appendOr(b, "userAgent", userAgent(q.HTTP))
	return appendOr(b, "userArn", arn)
}

// appendKeyOne appends which API key came; the key itself stays with the gateway.
func appendKeyOne(b []byte, x *exchange.Exchange) []byte {
	if x.APIKey == nil {
		return b
	}
	return appendMember(b, "apiKeyId", x.APIKey.ID)
}
