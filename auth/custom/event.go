package custom

import (
	"encoding/json"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"time"

	"gatehouse/exchange"
)

// tokenEvent is what a program is told of one token.
type tokenEvent struct {
	Type  string `json:"type"`
	ARN   string `json:"methodArn"`
	Token string `json:"authorizationToken"`
}

// requestEvent is a request in format 1.0.
type requestEvent struct {
	Version    string              `json:"version"`
	Type       string              `json:"type"`
	ARN        string              `json:"methodArn"`
	Identity   string              `json:"identitySource"`
	Resource   string              `json:"resource"`
	Path       string              `json:"path"`
	Method     string              `json:"httpMethod"`
	Header     map[string]string   `json:"headers"`
	Headers    map[string][]string `json:"multiValueHeaders"`
	Query      map[string]string   `json:"queryStringParameters"`
	Queries    map[string][]string `json:"multiValueQueryStringParameters"`
	Parameters map[string]string   `json:"pathParameters"`
	Variables  map[string]string   `json:"stageVariables"`
	Context    contextOne          `json:"requestContext"`
}

type contextOne struct {
	Account   string      `json:"accountId"`
	API       string      `json:"apiId"`
	Domain    string      `json:"domainName"`
	Method    string      `json:"httpMethod"`
	Identity  identityOne `json:"identity"`
	Path      string      `json:"path"`
	Protocol  string      `json:"protocol"`
	ID        string      `json:"requestId"`
	Time      string      `json:"requestTime"`
	TimeEpoch int64       `json:"requestTimeEpoch"`
	Resource  string      `json:"resourcePath"`
	Stage     string      `json:"stage"`
}

type identityOne struct {
	Source    netip.Addr `json:"sourceIp"`
	UserAgent string     `json:"userAgent"`
}

// eventTwo is a request in format 2.0.
type eventTwo struct {
	Version    string            `json:"version"`
	Type       string            `json:"type"`
	ARN        string            `json:"routeArn"`
	Identity   []string          `json:"identitySource"`
	RouteKey   string            `json:"routeKey"`
	Path       string            `json:"rawPath"`
	Query      string            `json:"rawQueryString"`
	Cookies    []string          `json:"cookies,omitempty"`
	Header     map[string]string `json:"headers"`
	Queries    map[string]string `json:"queryStringParameters,omitempty"`
	Context    contextTwo        `json:"requestContext"`
	Parameters map[string]string `json:"pathParameters,omitempty"`
	Variables  map[string]string `json:"stageVariables,omitempty"`
}

type contextTwo struct {
	Account   string  `json:"accountId"`
	API       string  `json:"apiId"`
	Domain    string  `json:"domainName"`
	Prefix    string  `json:"domainPrefix"`
	HTTP      httpTwo `json:"http"`
	ID        string  `json:"requestId"`
	RouteKey  string  `json:"routeKey"`
	Stage     string  `json:"stage"`
	Time      string  `json:"time"`
	TimeEpoch int64   `json:"timeEpoch"`
}

type httpTwo struct {
	Method    string     `json:"method"`
	Path      string     `json:"path"`
	Protocol  string     `json:"protocol"`
	Source    netip.Addr `json:"sourceIp"`
	UserAgent string     `json:"userAgent"`
}

// event is what the program is told of a request whose identity is known.
func (a *Authorizer) event(x *exchange.Exchange, r *http.Request, identity []string, arn string) ([]byte, error) {
	switch {
	case a.token:
		return json.Marshal(tokenEvent{Type: "TOKEN", ARN: arn, Token: identity[0]})
	case a.format == "1.0":
		return json.Marshal(a.eventOne(x, r, identity, arn))
	}
	return json.Marshal(a.eventTwo(x, r, identity, arn))
}

func (a *Authorizer) eventOne(x *exchange.Exchange, r *http.Request, identity []string, arn string) requestEvent {
	_, resource, _ := strings.Cut(x.Route, " ")
	e := requestEvent{
		Version: "1.0", Type: "REQUEST", ARN: arn, Identity: strings.Join(identity, ","), Resource: resource, Path: string(stagePath(nil, x)), Method: x.Method,
		Header: make(map[string]string), Headers: make(map[string][]string), Query: make(map[string]string), Queries: queryOf(x.Path.Query),
		Parameters: parameters(x), Variables: x.Variables,
	}
	e.Headers["Host"], e.Header["Host"] = []string{r.Host}, r.Host
	for name, values := range r.Header {
		if len(values) > 0 {
			e.Headers[name], e.Header[name] = values, values[len(values)-1]
		}
	}
	for name, values := range e.Queries {
		e.Query[name] = values[len(values)-1]
	}
	e.Context = contextOne{
		Account: a.account, API: x.API, Domain: x.Host, Method: x.Method, Path: x.Path.Canonical(), Protocol: x.Proto, ID: x.ID,
		Identity: identityOne{x.Client, r.UserAgent()}, Time: logTime(x.Start), TimeEpoch: x.Start.UnixMilli(), Resource: resource, Stage: x.Stage,
	}
	return e
}

func (a *Authorizer) eventTwo(x *exchange.Exchange, r *http.Request, identity []string, arn string) eventTwo {
	e := eventTwo{
		Version: "2.0", Type: "REQUEST", ARN: arn, Identity: identity, RouteKey: x.Route, Path: x.Path.Canonical(), Query: x.Path.Query,
		Header: make(map[string]string), Queries: make(map[string]string), Parameters: parameters(x), Variables: x.Variables,
	}
	e.Header["host"] = r.Host
	for name, values := range r.Header {
		if name == "Cookie" {
			for _, field := range values {
				e.Cookies = append(e.Cookies, strings.Split(field, "; ")...)
			}
			continue
		}
		e.Header[strings.ToLower(name)] = strings.Join(values, ",")
	}
	for name, values := range queryOf(x.Path.Query) {
		e.Queries[name] = strings.Join(values, ",")
	}
	prefix, _, _ := strings.Cut(x.Host, ".")
	e.Context = contextTwo{
		Account: a.account, API: x.API, Domain: x.Host, Prefix: prefix, ID: x.ID, RouteKey: x.Route, Stage: x.Stage,
		HTTP: httpTwo{x.Method, x.Path.Canonical(), x.Proto, x.Client, r.UserAgent()}, Time: logTime(x.Start), TimeEpoch: x.Start.UnixMilli(),
	}
	return e
}

func logTime(t time.Time) string { return t.UTC().Format("02/Jan/2006:15:04:05 -0700") }

func queryOf(query string) map[string][]string {
	values, _ := url.ParseQuery(query) // what is broken is left out
	return values
}

func parameters(x *exchange.Exchange) map[string]string {
	if len(x.Params) == 0 {
		return nil
	}
	out := make(map[string]string, len(x.Params))
	for _, p := range x.Params {
		out[p.Name] = p.Value
	}
	return out
}

// stagePath appends the path without the stage's.
func stagePath(b []byte, x *exchange.Exchange) []byte { return x.Path.AppendFrom(b, x.Skip) }
