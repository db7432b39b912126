// Package record writes what a web ACL made of a request as AWS WAF writes it: one
// JSON object a request, with the names and the nesting of its logs, format
// version 1.
package record

import (
	"bufio"
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"slices"
	"strings"
	"time"

	"gatehouse/exchange"
	"gatehouse/waf/redact"
)

// Record is one line.
type Record struct {
	Timestamp      int64         `json:"timestamp"` // milliseconds
	FormatVersion  int           `json:"formatVersion"`
	ACL            string        `json:"webaclId"`
	Rule           string        `json:"terminatingRuleId"` // Default_Action where none decided
	RuleType       string        `json:"terminatingRuleType"`
	Action         string        `json:"action"`
	Details        []Detail      `json:"terminatingRuleMatchDetails"`
	SourceName     string        `json:"httpSourceName"`
	SourceID       string        `json:"httpSourceId"`
	Groups         []Group       `json:"ruleGroupList"`
	RateBased      []RateRule    `json:"rateBasedRuleList"`
	NonTerminating []RuleMatch   `json:"nonTerminatingMatchingRules"`
	Inserted       []NameValue   `json:"requestHeadersInserted"`
	Status         *int          `json:"responseCodeSent"`
	Request        RequestRecord `json:"httpRequest"`
	Labels         []Label       `json:"labels,omitempty"`
	JA3            string        `json:"ja3Fingerprint,omitempty"`
	JA4            string        `json:"ja4Fingerprint,omitempty"`
}

// Detail is where a rule found what.
type Detail struct {
	Condition   string   `json:"conditionType"`
	Sensitivity string   `json:"sensitivityLevel,omitempty"`
	Location    string   `json:"location"`
	Data        []string `json:"matchedData"`
	Field       string   `json:"matchedFieldName"`
	// Target is where a rule of the Core Rule Set found it, as exclusions write
	// it. Not in AWS's logs.
	Target string `json:"target,omitempty"`
}

// RuleMatch is a rule that matched without deciding.
type RuleMatch struct {
	ID      string   `json:"ruleId"`
	Action  string   `json:"action"`
	Details []Detail `json:"ruleMatchDetails"`
	// Message is what a rule of the Core Rule Set says. Not in AWS's logs.
	Message string `json:"message,omitempty"`
}

// Group is a rule group, or a core rule set, that was asked.
type Group struct {
	ID             string      `json:"ruleGroupId"`
	Terminating    *RuleMatch  `json:"terminatingRule"`
	NonTerminating []RuleMatch `json:"nonTerminatingMatchingRules"`
	Excluded       []any       `json:"excludedRules"`
	// Score is a core rule set's anomaly score. Not in AWS's logs.
	Score int `json:"anomalyScore,omitempty"`
}

// RateRule is a rate-based rule that matched.
type RateRule struct {
	ID   string `json:"rateBasedRuleId"`
	Name string `json:"rateBasedRuleName"`
}

// NameValue is one header.
type NameValue struct {
	Name  string `json:"name"`
	Value string `json:"value"`
}

// Label is one label.
type Label struct {
	Name string `json:"name"`
}

// RequestRecord is the request.
type RequestRecord struct {
	ClientIP string      `json:"clientIp"`
	Country  string      `json:"country"`
	Headers  []NameValue `json:"headers"`
	URI      string      `json:"uri"`
	Args     string      `json:"args"`
	Version  string      `json:"httpVersion"`
	Method   string      `json:"httpMethod"`
	ID       string      `json:"requestId"`
	Scheme   string      `json:"scheme"`
	Host     string      `json:"host"`
}

// The most that is written of one request.
const (
	maxHeaders = 100
	maxValue   = 1024
)

// Describe fills in what the record says of the request itself.
func (rec *Record) Describe(x *exchange.Exchange, r *http.Request, country string, hide *redact.Fields) {
	rec.Timestamp = x.Start.UnixMilli()
	rec.FormatVersion = 1
	rec.SourceName, rec.SourceID = "APIGW", x.API+"/"+x.Stage
	q := &rec.Request
	q.ClientIP, q.Country = x.Client.String(), country
	if country == "" {
		q.Country = "-"
	}
	q.URI, q.Args = cut(hide.Path(x.Path.Raw)), cut(hide.Args(x.Path.Query))
	q.Version, q.Method, q.ID, q.Host = x.Proto, x.Method, x.ID, x.Host
	if hide != nil && hide.Method {
		q.Method = redact.Redacted
	}
	q.Scheme = "http"
	if x.Conn.TLS {
		q.Scheme = "https"
	}
	q.Headers = append(q.Headers, NameValue{"host", r.Host})
	names := make([]string, 0, len(r.Header))
	for name := range r.Header {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		for _, value := range r.Header[name] {
			if len(q.Headers) < maxHeaders {
				q.Headers = append(q.Headers, NameValue{strings.ToLower(name), cut(hide.Header(name, value))})
			}
		}
	}
	rec.JA3, rec.JA4 = x.Conn.JA3, x.Conn.JA4
	for _, l := range x.Labels {
		rec.Labels = append(rec.Labels, Label{l})
	}
}

func cut(s string) string {
	if len(s) > maxValue {
		s = s[:maxValue] + "..."
	}
	return strings.ToValidUTF8(s, "\ufffd")
}

// Line returns the record as one line. Lists that hold nothing are written as
// such, as AWS does it.
func (rec *Record) Line() []byte {
	if rec.Details == nil {
		rec.Details = []Detail{}
	}
	if rec.Groups == nil {
		rec.Groups = []Group{}
	}
	if rec.RateBased == nil {
		rec.RateBased = []RateRule{}
	}
	if rec.NonTerminating == nil {
		rec.NonTerminating = []RuleMatch{}
	}
	for i := range rec.Groups {
		if rec.Groups[i].NonTerminating == nil {
			rec.Groups[i].NonTerminating = []RuleMatch{}
		}
	}
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	_ = e.Encode(rec) // there is nothing in it that cannot be written
	return b.Bytes()
}

// MarshalJSON writes a list of details also where there are none.
func (m RuleMatch) MarshalJSON() ([]byte, error) {
	type plain RuleMatch
	if m.Details == nil {
		m.Details = []Detail{}
	}
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	err := e.Encode(plain(m))
	return bytes.TrimSuffix(b.Bytes(), []byte("\n")), err
}

// Read reads records, one a line.
func Read(in io.Reader) (out []Record, err error) {
	lines := bufio.NewScanner(in)
	lines.Buffer(make([]byte, 64<<10), maxLine)
	for lines.Scan() {
		var rec Record
		if err := json.Unmarshal(lines.Bytes(), &rec); err != nil {
			return out, err
		}
		out = append(out, rec)
	}
	return out, lines.Err()
}

// Time returns when the request came.
func (rec *Record) Time() time.Time { return time.UnixMilli(rec.Timestamp) }
