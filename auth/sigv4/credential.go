package sigv4

import (
	"net/http"
	"strconv"
	"strings"
	"time"

	"gatehouse/exchange"
)

const (
	algorithm  = "AWS4-HMAC-SHA256"
	terminator = "aws4_request"
	stampForm  = "20060102T150405Z"
	window     = 5 * time.Minute
	maxExpires = 604800 // seconds
)

// credential is what a request says of its signature.
type credential struct {
	keyID     string
	scope     string // DATE/REGION/SERVICE/aws4_request
	date      string
	region    string
	service   string
	headers   string // signed ones, in small letters, joined by ";"
	signature string
	stamp     string // when it was signed, as the signature has it
	signed    time.Time
	expires   time.Duration // of the presigned form
	presigned bool
	token     string // of a session
	payload   string // x-amz-content-sha256; "" where it is not said
}

// form is where the signature stands.
type form uint8

const (
	unsigned form = iota
	inHeader
	inQuery
	inBoth
)

// formOf tells where a request has a signature of AWS's.
func formOf(r *http.Request, query string) form {
	found := unsigned
	for _, value := range r.Header["Authorization"] {
		if strings.HasPrefix(value, "AWS4-") {
			found = inHeader
		}
	}
	if strings.Contains(query, "X-Amz-") && hasParameter(query) {
		if found == inHeader || len(r.Header["Authorization"]) > 0 {
			return inBoth
		}
		return inQuery
	}
	return found
}

// hasParameter reports a parameter that only a presigned request has.
func hasParameter(query string) bool {
	for pair := range strings.SplitSeq(query, "&") {
		switch name, _, _ := strings.Cut(pair, "="); name {
		case "X-Amz-Algorithm", "X-Amz-Credential", "X-Amz-Signature":
			return true
		}
	}
	return false
}

// read reads the credential of a request that has one.
func (c *credential) read(x *exchange.Exchange, r *http.Request) *Fault {
	c.token, c.payload = single(r.Header["X-Amz-Security-Token"]), single(r.Header["X-Amz-Content-Sha256"])
	for _, name := range [...]string{"X-Amz-Security-Token", "X-Amz-Content-Sha256", "X-Amz-Date", "Date"} {
		if len(r.Header[name]) > 1 {
			return malformed(name + " is there more than once.")
		}
	}
	switch formOf(r, x.Path.Query) {
	case inBoth:
		return malformed("The request is signed in its query and has an Authorization header: only one of the two is allowed.")
	case inQuery:
		return c.readQuery(x.Path.Query)
	}
	return c.readHeader(r)
}

func single(values []string) string {
	if len(values) == 0 {
		return ""
	}
	return values[0]
}

// readHeader reads Authorization: AWS4-HMAC-SHA256 Credential=..., SignedHeaders=...,
// Signature=...
func (c *credential) readHeader(r *http.Request) *Fault {
	fields := r.Header["Authorization"]
	if len(fields) != 1 {
		return malformed("Authorization is there more than once.")
	}
	rest, ok := strings.CutPrefix(fields[0], algorithm+" ")
	if !ok {
		return malformed("Unsupported AWS 'algorithm': write " + algorithm + ".")
	}
	var scope string
	for part := range strings.SplitSeq(rest, ",") {
		name, value, ok := strings.Cut(strings.TrimSpace(part), "=")
		if !ok {
			return malformed("A part of the Authorization header is no key=value pair (missing equal-sign).")
		}
		var to *string
		switch name {
		case "Credential":
			to = &scope
		case "SignedHeaders":
			to = &c.headers
		case "Signature":
			to = &c.signature
		}
		if to == nil || *to != "" {
			return malformed("The Authorization header has a part that does not belong there, or one twice.")
		}
		*to = value
	}
	for _, required := range [...][2]string{{"Credential", scope}, {"Signature", c.signature}, {"SignedHeaders", c.headers}} {
		if required[1] == "" {
			return malformed("Authorization header requires '" + required[0] + "' parameter.")
		}
	}
	if f := c.readScope(scope); f != nil {
		return f
	}
	return c.readDate(r)
}

// readDate reads X-Amz-Date or, where it is absent, Date.
func (c *credential) readDate(r *http.Request) *Fault {
	stamp := single(r.Header["X-Amz-Date"])
	if stamp == "" {
		stamp = single(r.Header["Date"])
		if t, err := http.ParseTime(stamp); err == nil {
			stamp = t.UTC().Format(stampForm)
		}
	}
	if stamp == "" {
		return malformed("Authorization header requires existence of either a 'X-Amz-Date' or a 'Date' header.")
	}
	return c.readStamp(stamp)
}

func (c *credential) readStamp(stamp string) *Fault {
	signed, err := time.Parse(stampForm, stamp)
	if err != nil || len(stamp) != len(stampForm) {
		return malformed("Date must be in ISO-8601 'basic format', such as " + stampForm + ".")
	}
	c.stamp, c.signed = stamp, signed
	if c.date != stamp[:8] {
		return wrong("wrong-scope", "Date in Credential scope does not match YYYYMMDD from ISO-8601 version of date from HTTP: '"+c.date+"' != '"+stamp[:8]+"', from '"+stamp+"'.")
	}
	return nil
}

// readScope reads KEY/DATE/REGION/SERVICE/aws4_request.
func (c *credential) readScope(text string) *Fault {
	parts := [5]string{}
	rest, more := text, true
	for i := range parts {
		if !more {
			return malformed("Credential must have exactly 5 slash-delimited elements, e.g. keyid/date/region/service/term.")
		}
		parts[i], rest, more = strings.Cut(rest, "/")
	}
	if more {
		return malformed("Credential must have exactly 5 slash-delimited elements, e.g. keyid/date/region/service/term.")
	}
	c.keyID, c.date, c.region, c.service = parts[0], parts[1], parts[2], parts[3]
	c.scope = text[len(c.keyID)+1:]
	if len(c.date) != 8 || !isDigits(c.date) {
		return malformed("The date of Credential must be YYYYMMDD.")
	}
	if parts[4] != terminator {
		return wrong("wrong-scope", "Credential should be scoped with a valid terminator: '"+terminator+"'.")
	}
	return nil
}

// readQuery reads the parameters of a presigned request, each of which is there
// once.
func (c *credential) readQuery(query string) *Fault {
	c.presigned = true
	var said, scope, stamp, expires, token string
	for pair := range strings.SplitSeq(query, "&") {
		name, value, _ := strings.Cut(pair, "=")
		var to *string
		switch name {
		case "X-Amz-Algorithm":
			to = &said
		case "X-Amz-Credential":
			to = &scope
		case "X-Amz-Date":
			to = &stamp
		case "X-Amz-Expires":
			to = &expires
		case "X-Amz-SignedHeaders":
			to = &c.headers
		case "X-Amz-Signature":
			to = &c.signature
		case "X-Amz-Security-Token":
			to = &token
		case "X-Amz-Content-Sha256":
			to = &c.payload
		default:
			continue
		}
		if *to != "" {
			return malformed(name + " is there more than once.")
		}
		if *to = unescape(value); *to == "" {
			return malformed("AWS query-string parameters must include '" + name + "' with a value.")
		}
	}
	if token != "" && c.token != "" {
		return malformed("X-Amz-Security-Token is there more than once.")
	}
	if token != "" {
		c.token = token
	}
	for _, required := range [...][2]string{
		{"X-Amz-Algorithm", said}, {"X-Amz-Credential", scope}, {"X-Amz-Signature", c.signature},
		{"X-Amz-SignedHeaders", c.headers}, {"X-Amz-Date", stamp},
	} {
		if required[1] == "" {
			return malformed("AWS query-string parameters must include '" + required[0] + "'.")
		}
	}
	if said != algorithm {
		return malformed("Unsupported AWS 'algorithm': write " + algorithm + ".")
	}
	if f := c.readExpires(expires); f != nil {
		return f
	}
	if f := c.readScope(scope); f != nil {
		return f
	}
	return c.readStamp(stamp)
}

// readExpires reads how long a presigned request is good. Only S3 wants that to
// be said; without it is as long as any other.
func (c *credential) readExpires(text string) *Fault {
	if text == "" {
		c.expires = window
		return nil
	}
	seconds, err := strconv.Atoi(text)
	if err != nil || seconds < 1 || seconds > maxExpires || !isDigits(text) {
		return malformed("X-Amz-Expires must be a number of seconds from 1 to " + strconv.Itoa(maxExpires) + ".")
	}
	c.expires = time.Duration(seconds) * time.Second
	return nil
}

// current reports whether the request comes at a time that it was signed for.
func (c *credential) current(now time.Time) *Fault {
	switch {
	case c.signed.Sub(now) > window:
		return early(c.signed, now)
	case c.presigned && now.Sub(c.signed) >= c.expires:
		f := expired(c.signed, now)
		f.Message = "Signature expired: the request was presigned for " + c.expires.String() + " from " + c.stamp + "."
		return f
	case !c.presigned && now.Sub(c.signed) > window:
		return expired(c.signed, now)
	}
	return nil
}

func isDigits(s string) bool {
	for i := range len(s) {
		if s[i] < '0' || s[i] > '9' {
			return false
		}
	}
	return s != ""
}

// unescape undoes percent encoding; what is none stays.
func unescape(s string) string {
	if strings.IndexByte(s, '%') < 0 {
		return s
	}
	b := make([]byte, 0, len(s))
	for i := 0; i < len(s); i++ {
		c := s[i]
		if c == '%' && i+2 < len(s) {
			if plain, ok := exchange.Unhex(s[i+1], s[i+2]); ok {
				c = plain
				i += 2
			}
		}
		b = append(b, c)
	}
	return string(b)
}
