package recent

import "time"

// Entry is what is remembered of a request.
type Entry struct {
	ID         string    `json:"requestId"`
	Time       time.Time `json:"time"`
	API        string    `json:"api,omitempty"`
	Stage      string    `json:"stage,omitempty"`
	Route      string    `json:"route,omitempty"`
	RouteAt    string    `json:"routeAt,omitempty"` // FILE:LINE
	Method     string    `json:"method"`
	Host       string    `json:"host,omitempty"`
	Path       string    `json:"path"`            // as the client sent it
	Query      string    `json:"query,omitempty"` // credentials redacted
	Protocol   string    `json:"protocol"`
	Listener   string    `json:"listener,omitempty"`
	TLS        bool      `json:"tls"`
	Client     string    `json:"client"`
	Peer       string    `json:"peer,omitempty"` // where it is another than the client
	Principal  string    `json:"principal,omitempty"`
	UserAgent  string    `json:"userAgent,omitempty"`
	TraceID    string    `json:"traceId,omitempty"`
	Status     int       `json:"status"` // 0 where none was sent
	BytesIn    int64     `json:"bytesIn"`
	BytesOut   int64     `json:"bytesOut"`
	Latency    Millis    `json:"latencyMs"`
	Upstream   *Upstream `json:"upstream,omitempty"`
	Refused    *Refused  `json:"refused,omitempty"`
	Aborted    bool      `json:"aborted,omitempty"`
	Generation uint64    `json:"generation"`
	Trail      []Step    `json:"trail"`
	Untold     int       `json:"untold,omitempty"` // steps that found no place
	Cut        bool      `json:"cut,omitempty"`    // some values were too long to be kept whole
}

// Upstream is what became of the request behind the gateway.
type Upstream struct {
	Service  string `json:"service"`
	Target   string `json:"target,omitempty"`
	Status   int    `json:"status,omitempty"`
	Attempts int    `json:"attempts"`
	Reused   bool   `json:"reused"`
	Queued   Millis `json:"queueMs,omitempty"`
	Init     Millis `json:"initMs,omitempty"`
	Connect  Millis `json:"connectMs"`
	Latency  Millis `json:"latencyMs"`
	Error    string `json:"error,omitempty"`
}

// Refused is the gateway's own refusal.
type Refused struct {
	Filter string `json:"filter"`
	Rule   string `json:"rule,omitempty"`
	At     string `json:"at,omitempty"` // FILE:LINE
	Reason string `json:"reason"`
	Detail string `json:"detail,omitempty"`
}

// Step is one filter's decision.
type Step struct {
	Filter   string `json:"filter"`
	Rule     string `json:"rule,omitempty"`
	At       string `json:"at,omitempty"` // FILE:LINE
	Decision string `json:"decision"`
	Detail   string `json:"detail,omitempty"`
}

// Millis is a duration that is written in milliseconds.
type Millis time.Duration
