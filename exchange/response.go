package exchange

import (
	"net/http"
	"slices"
)

// ResponseType is what kind of refusal one is, in the words of API Gateway's
// gateway responses.
type ResponseType uint8

// The types. Default4XX and Default5XX stand for what is none of the others,
// and for those of the others that nobody said anything about.
const (
	Unspecified ResponseType = iota // the usual one of the status
	AccessDenied
	APIConfigurationError
	AuthorizerConfigurationError
	AuthorizerFailure
	BadRequestBody
	BadRequestParameters
	Default4XX
	Default5XX
	ExpiredToken
	IntegrationFailure
	IntegrationTimeout
	InvalidAPIKey
	InvalidSignature
	MissingAuthenticationToken
	QuotaExceeded
	RequestTooLarge
	ResourceNotFound
	Throttled
	Unauthorized
	UnsupportedMediaType
	WAFFiltered

	// TypesOfResponse is one more than the last of them.
	TypesOfResponse
)

var responseTypes = [TypesOfResponse]string{
	"", "ACCESS_DENIED", "API_CONFIGURATION_ERROR", "AUTHORIZER_CONFIGURATION_ERROR", "AUTHORIZER_FAILURE",
	"BAD_REQUEST_BODY", "BAD_REQUEST_PARAMETERS", "DEFAULT_4XX", "DEFAULT_5XX", "EXPIRED_TOKEN",
	"INTEGRATION_FAILURE", "INTEGRATION_TIMEOUT", "INVALID_API_KEY", "INVALID_SIGNATURE", "MISSING_AUTHENTICATION_TOKEN",
	"QUOTA_EXCEEDED", "REQUEST_TOO_LARGE", "RESOURCE_NOT_FOUND", "THROTTLED", "UNAUTHORIZED",
	"UNSUPPORTED_MEDIA_TYPE", "WAF_FILTERED",
}

// String returns the type as API Gateway writes it: "DEFAULT_4XX".
func (t ResponseType) String() string { return responseTypes[t] }

// ParseResponseType returns the type of a name.
func ParseResponseType(name string) (ResponseType, bool) {
	i := slices.Index(responseTypes[1:], name)
	return ResponseType(i + 1), i >= 0
}

// ResponseTypeNames returns the name of every type.
func ResponseTypeNames() []string { return slices.Clone(responseTypes[1:]) }

// Responses are an API's own forms of refusals. They are immutable and safe for
// concurrent use.
type Responses interface {
	// Respond makes the answer to a refused request, x.Refused, look as the
	// API wants it: h has all fields by then but those that belong to a body.
	// It returns the status, 0 for the refusal's own, and the body, having set
	// its media type, or nil for the usual one.
	Respond(x *Exchange, r *http.Request, h http.Header) (status int, body []byte)
}

// usualType is the type of a refusal that says none.
func (f *Refusal) usualType() ResponseType {
	switch f.Status {
	case http.StatusBadRequest:
		return BadRequestParameters
	case http.StatusUnauthorized:
		return Unauthorized
	case http.StatusForbidden:
		if f.Rule != nil && f.Rule.Filter == "waf" {
			return WAFFiltered
		}
		return AccessDenied
	case http.StatusNotFound, http.StatusMethodNotAllowed:
		return ResourceNotFound
	case http.StatusRequestEntityTooLarge:
		return RequestTooLarge
	case http.StatusUnsupportedMediaType:
		return UnsupportedMediaType
	case http.StatusTooManyRequests:
		return Throttled
	case http.StatusBadGateway, http.StatusServiceUnavailable:
		return IntegrationFailure
	case http.StatusGatewayTimeout:
		return IntegrationTimeout
	}
	if f.Status >= 500 {
		return Default5XX
	}
	return Default4XX
}
