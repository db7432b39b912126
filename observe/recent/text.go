package recent

import (
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"

	"gatehouse/observe/escape"
)

// WriteText writes an entry for people. Colour marks decisions with terminal
// sequences; nothing that a client sent can.
func (e *Entry) WriteText(w io.Writer, colour bool) error {
	p := printer{colour: colour}
	p.head(e)
	p.facts(e)
	p.trail(e)
	_, err := io.WriteString(w, p.b.String())
	return err
}

// WriteList writes one line for each entry, for people, safe as WriteText is.
func WriteList(w io.Writer, entries []*Entry) error {
	var p printer
	t := tabwriter.NewWriter(&p.b, 0, 0, 2, ' ', 0)
	for _, e := range entries {
		fmt.Fprintf(t, "%s\t%s\t%s\t%s\t%s\t%s %s%s\n", plain(e.ID), e.Time.Format("15:04:05.000"), statusText(e), e.Latency, outcomeShort(e), plain(e.Method), plain(e.Host), plain(e.Path))
	}
	_ = t.Flush()
	_, err := io.WriteString(w, p.b.String())
	return err
}

// outcomeShort is who is to thank for the status.
func outcomeShort(e *Entry) string {
	switch {
	case e.Refused != nil:
		return plain(e.Refused.Filter) + ": " + plain(e.Refused.Reason)
	case e.Aborted:
		return "cut off"
	case e.Upstream != nil:
		return plain(e.Upstream.Service)
	}
	return "gateway"
}

type printer struct {
	b      strings.Builder
	colour bool
}

func plain(s string) string { return string(escape.Plain(nil, s)) }

// head is the request line, and the outcome in one sentence.
func (p *printer) head(e *Entry) {
	target := plain(e.Path)
	if e.Query != "" {
		target += "?" + plain(e.Query)
	}
	fmt.Fprintf(&p.b, "%s %s%s  %s\n", plain(e.Method), plain(e.Host), target, plain(e.Protocol))
	fmt.Fprintf(&p.b, "%s after %s: %s\n\n", p.paint(statusText(e), good(e)), e.Latency, outcome(e))
}

func good(e *Entry) string {
	switch {
	case e.Status >= 500 || e.Aborted:
		return red
	case e.Refused != nil || e.Status >= 400:
		return yellow
	}
	return green
}

func statusText(e *Entry) string {
	if e.Status == 0 {
		return "no answer"
	}
	return fmt.Sprint(e.Status)
}

func outcome(e *Entry) string {
	switch {
	case e.Refused != nil:
		s := "refused by " + plain(e.Refused.Filter) + " (" + plain(e.Refused.Reason) + ")"
		if e.Refused.At != "" {
			s += ", " + plain(e.Refused.At)
		}
		return s
	case e.Aborted:
		return "cut off before the answer was complete"
	case e.Upstream != nil && e.Upstream.Error != "":
		return "the target failed: " + plain(e.Upstream.Error)
	case e.Upstream != nil:
		return "answered by " + plain(e.Upstream.Service)
	}
	return "answered by the gateway"
}

func (p *printer) facts(e *Entry) {
	t := tabwriter.NewWriter(&p.b, 0, 0, 2, ' ', 0)
	fact := func(name, value string) {
		if value != "" {
			fmt.Fprintf(t, "  %s\t%s\n", name, value)
		}
	}
	fact("request", plain(e.ID))
	fact("time", e.Time.Format("2006-01-02T15:04:05.000Z07:00"))
	fact("client", client(e))
	fact("listener", listener(e))
	fact("principal", plain(e.Principal))
	fact("user agent", plain(e.UserAgent))
	fact("route", route(e))
	fact("target", target(e.Upstream))
	fact("bytes", fmt.Sprintf("%d in, %d out", e.BytesIn, e.BytesOut))
	fact("trace", e.TraceID)
	fact("config", fmt.Sprintf("generation %d", e.Generation))
	_ = t.Flush()
}

func client(e *Entry) string {
	s := plain(e.Client)
	if e.Peer != "" {
		s += " by way of " + plain(e.Peer)
	}
	return s
}

func listener(e *Entry) string {
	s := plain(e.Listener)
	if e.TLS {
		s += " (TLS)"
	}
	return s
}

func route(e *Entry) string {
	switch {
	case e.API == "":
		return "none: no API serves this host and path"
	case e.Route == "":
		return "none of " + plain(e.API) + "/" + plain(e.Stage)
	}
	s := plain(e.API) + "/" + plain(e.Stage) + "  " + plain(e.Route)
	if e.RouteAt != "" {
		s += "  " + plain(e.RouteAt)
	}
	return s
}

func target(u *Upstream) string {
	if u == nil {
		return ""
	}
	s := plain(u.Service)
	if u.Target != "" && u.Target != u.Service {
		s += " at " + plain(u.Target)
	}
	if u.Status != 0 {
		s += fmt.Sprintf(", answered %d in %s", u.Status, u.Latency)
	}
	if u.Queued > 0 {
		s += fmt.Sprintf(", waited %s for room", u.Queued)
	}
	if u.Init > 0 {
		s += fmt.Sprintf(", cold start in %s", u.Init)
	}
	if u.Connect > 0 {
		s += fmt.Sprintf(", connected in %s", u.Connect)
	}
	if u.Attempts > 1 {
		s += fmt.Sprintf(", %d attempts", u.Attempts)
	}
	if u.Error != "" {
		s += ", " + plain(u.Error)
	}
	return s
}

// trail lists the decisions. The decision is padded by hand, since a writer of
// tables takes colours for text.
func (p *printer) trail(e *Entry) {
	if len(e.Trail) == 0 {
		p.b.WriteString("\n  no filter decided anything\n")
		return
	}
	p.b.WriteString("\n")
	filters, rules := 0, 0
	for _, s := range e.Trail {
		filters, rules = max(filters, len(plain(s.Filter))), max(rules, min(len(plain(s.Rule)), 40))
	}
	for i, s := range e.Trail {
		decision := p.paint(fmt.Sprintf("%-8s", s.Decision), colourOf(s.Decision))
		line := fmt.Sprintf("  %2d  %-*s  %s  %-*s  %s", i+1, filters, plain(s.Filter), decision, rules, plain(s.Rule), plain(s.At))
		p.b.WriteString(strings.TrimRight(line, " ") + "\n")
		if s.Detail != "" {
			fmt.Fprintf(&p.b, "      %s\n", plain(s.Detail))
		}
	}
	if e.Untold > 0 {
		fmt.Fprintf(&p.b, "      and %d more\n", e.Untold)
	}
	if e.Cut {
		p.b.WriteString("      some values were too long and are cut\n")
	}
}

const (
	red    = "31"
	green  = "32"
	yellow = "33"
)

func colourOf(decision string) string {
	switch decision {
	case "denied", "failed":
		return red
	case "allowed":
		return green
	case "counted":
		return yellow
	}
	return ""
}

func (p *printer) paint(s, code string) string {
	if !p.colour || code == "" {
		return s
	}
	return "\x1b[" + code + "m" + s + "\x1b[0m"
}

func (m Millis) String() string {
	d := time.Duration(m)
	switch {
	case d < time.Millisecond:
		return d.Round(time.Microsecond).String()
	case d < time.Second:
		return d.Round(10 * time.Microsecond).String()
	}
	return d.Round(time.Millisecond).String()
}
