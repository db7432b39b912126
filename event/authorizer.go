package event

import (
	"strings"

	"gatehouse/exchange"
)

// AppendToken appends the event of an authorizer of type TOKEN.
func AppendToken(b []byte, arn, token string) []byte {
	b = append(b, `{"type":"TOKEN"`...)
	b = appendMember(b, "methodArn", arn)
	return append(appendMember(b, "authorizationToken", token), '}')
}

// AppendAuthorizerOne appends the event of an authorizer of type REQUEST in
// format 1.0: a request's head, for an identity that its sources gave.
func AppendAuthorizerOne(b []byte, q *Request, arn string, identity []string) []byte {
	x, r := q.Exchange, q.HTTP
	b = append(b, `{"version":"1.0","type":"REQUEST"`...)
	b = appendMember(b, "methodArn", arn)
	b = appendMember(b, "identitySource", strings.Join(identity, ","))
	b = appendMember(b, "authorizationToken", strings.Join(identity, ","))
	b = appendMember(b, "resource", resource(x))
	b = appendStagePath(b, "path", x)
	b = appendMember(b, "httpMethod", x.Method)
	b = appendHeadersOne(b, r)
	b = appendQueryOne(b, x)
	b = appendMapsOne(b, x)
	b = append(b, `,"requestContext":{`...)
	return append(appendContextOne(b, q), "}}"...)
}

// AppendAuthorizerTwo appends it in format 2.0.
func AppendAuthorizerTwo(b []byte, q *Request, arn string, identity []string) []byte {
	x := q.Exchange
	b = append(b, `{"version":"2.0","type":"REQUEST"`...)
	b = appendMember(b, "routeArn", arn)
	b = append(b, `,"identitySource":[`...)
	for i, v := range identity {
		if i > 0 {
			b = append(b, ',')
		}
		b = appendText(b, v)
	}
	b = append(b, ']')
	b = appendMember(b, "routeKey", x.Route)
	b = appendHead(b, q)
	b = append(b, `,"requestContext":{`...)
	b = append(appendContextTwo(b, q, x.Route, x.Stage), '}')
	b = appendMaps(b, x)
	return append(b, '}')
}

// appendMaps appends what format 2.0 leaves out where it is absent.
func appendMaps(b []byte, x *exchange.Exchange) []byte {
	if len(x.Params) > 0 {
		b = appendParams(append(b, `,"pathParameters":`...), x.Params)
	}
	if len(x.Variables) > 0 {
		b = appendVariables(append(b, `,"stageVariables":`...), x.Variables)
	}
	return b
}
