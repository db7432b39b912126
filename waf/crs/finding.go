package crs

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"gatehouse/waf/crs/inspect"
	"gatehouse/waf/redact"
)

// The most that is said of one request.
const (
	maxLabels = 32
	maxDetail = 400
)

// evaluates reports whether a rule only adds up what others found.
func evaluates(id int) bool { return id/1000 == 949 || id/1000 == 959 || id/1000 == 980 }

// Labels returns the labels of what was found: gatehouse:crs:attack-sqli for
// what kind of attack, gatehouse:crs:942100 for the rule.
func (f *Finding) Labels() (out []string) {
	add := func(l string) {
		if l = "gatehouse:crs:" + l; len(out) < maxLabels && !slices.Contains(out, l) {
			out = append(out, l)
		}
	}
	for _, m := range f.Matches {
		if evaluates(m.ID) {
			continue
		}
		for _, t := range m.Tags {
			if strings.HasPrefix(t, "attack-") {
				add(t)
			}
		}
		add(strconv.Itoa(m.ID))
	}
	return out
}

// Lead returns the match that says most of a finding: the first of the most
// severe.
func (f *Finding) Lead() (lead inspect.Match, ok bool) {
	rank := []string{"emergency", "alert", "critical", "error", "warning", "notice"}
	best := len(rank) + 1
	for _, m := range f.Matches {
		if evaluates(m.ID) {
			continue
		}
		at := slices.Index(rank, m.Severity)
		if at < 0 {
			at = len(rank)
		}
		if at < best {
			best, lead, ok = at, m, true
		}
	}
	return lead, ok
}

// detail is what the trail says: score, rules, and where the first of them
// found what, without what may be secret.
func (f *Finding) detail() string {
	switch {
	case f.Error != nil:
		return f.Error.Error()
	case f.Reason != "rules" && f.Refusal.Detail != "":
		return f.Refusal.Detail
	case f.Reason == "compressed":
		return "the body is in a content coding and was not inspected"
	}
	var b strings.Builder
	fmt.Fprintf(&b, "score %d", f.Score)
	if lead, ok := f.Lead(); ok {
		fmt.Fprintf(&b, ": %d %s", lead.ID, lead.Message)
		if len(lead.Places) > 0 {
			at := lead.Places[0]
			fmt.Fprintf(&b, " in %s: %q", at.Target, (*redact.Fields)(nil).Value(at.Target, at.Shown()))
		}
	}
	more := 0
	for _, m := range f.Matches {
		if lead, _ := f.Lead(); evaluates(m.ID) || m.ID == lead.ID {
			continue
		}
		if more++; b.Len() < maxDetail {
			fmt.Fprintf(&b, ", %d", m.ID)
		}
	}
	return b.String()
}

// Detail is what the trail says of a finding.
func (f *Finding) Detail() string { return f.detail() }
