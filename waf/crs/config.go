package crs

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"gatehouse/config"
	"gatehouse/waf/crs/coraza"
)

// Config is a core-rule-set as written.
type Config struct {
	config.At
	Paranoia     int             `yaml:"paranoia" default:"1" range:"1..4" doc:"how much is suspicious: 1 for nearly no false alarms, 4 for the most suspicion"`
	Detect       int             `yaml:"detect" default:"0" range:"0..4" doc:"rules up to this paranoia are evaluated, but those above paranoia only count; default: paranoia"`
	Threshold    Threshold       `yaml:"threshold" doc:"the anomaly scores at which a request, or its answer, is blocked"`
	Mode         string          `yaml:"mode" default:"block" enum:"block|count" doc:"what happens at the threshold"`
	Exclusions   []Exclusion     `yaml:"exclusions" single:"true" doc:"rules, or single targets of theirs, that do not hold: {rule: 942100, target: \"ARGS:comment\", path: /blog/{proxy*}}"`
	Files        []config.File   `yaml:"files" single:"true" doc:"files with SecLang rules of your own, read before the rule set"`
	Methods      []string        `yaml:"methods" doc:"methods that are not suspicious; default: GET HEAD POST PUT PATCH DELETE OPTIONS, since routes say what is taken"`
	ContentTypes []string        `yaml:"content-types" doc:"further media types of bodies that are not suspicious, beside forms, XML and JSON"`
	Arguments    Arguments       `yaml:"arguments" doc:"limits of arguments; what is beyond them is suspicious"`
	UTF8         bool            `yaml:"utf8" default:"false" doc:"whether arguments must be UTF-8"`
	Compressed   string          `yaml:"compressed" default:"refuse" enum:"refuse|inflate" doc:"request bodies in a content coding: 415, or inflated for the inspection, for services that inflate them"`
	Responses    *Responses      `yaml:"responses" doc:"whether answers are inspected: true, or how"`
	Budget       config.Duration `yaml:"budget" default:"1s" range:"1ms..1m" doc:"processor time that one request may take to be inspected"`
	OnError      string          `yaml:"on-error" default:"block" enum:"block|pass" doc:"what becomes of a request whose inspection failed, or took more than its budget"`
}

// Threshold are anomaly scores. A critical rule scores 5, an error 4, a warning
// 3, a notice 2.
type Threshold struct {
	Inbound  int `yaml:"inbound" default:"5" range:"1..10000" doc:"of requests"`
	Outbound int `yaml:"outbound" default:"4" range:"1..10000" doc:"of answers"`
}

// Arguments are limits of what arguments may be; 0 for none.
type Arguments struct {
	Count      int `yaml:"count" default:"1000" range:"1..10000" doc:"how many arguments a query and a body may each have: no rule sees those beyond, and such a request is blocked"`
	Suspicious int `yaml:"suspicious" default:"255" range:"0..10000" doc:"how many together are suspicious"`
	Name       int `yaml:"name" default:"0" range:"0..1000000" doc:"longest name in bytes"`
	Value      int `yaml:"value" default:"0" range:"0..100000000" doc:"longest value in bytes"`
	Total      int `yaml:"total" default:"0" range:"0..100000000" doc:"names and values together"`
	File       int `yaml:"file" default:"0" range:"0..1000000000" doc:"largest file in bytes"`
	Files      int `yaml:"files" default:"0" range:"0..1000000000" doc:"all files together"`
}

// Responses says what of answers is inspected.
type Responses struct {
	config.At
	Off    bool
	Bodies bool        `yaml:"bodies" default:"true" doc:"whether bodies are inspected: they are held back until they were, or until the limit"`
	Limit  config.Size `yaml:"limit" default:"64KiB" range:"1KiB..16MiB" doc:"how much of a body is inspected; what is beyond follows unseen"`
	Types  []string    `yaml:"types" doc:"media types of bodies that are inspected; default: text/plain, text/html, text/xml, application/json"`
}

// UnmarshalConfig reads true, false, or a section.
func (c *Responses) UnmarshalConfig(n *config.Node) {
	if n.Kind() == config.Scalar {
		on := true
		n.Decode(&on)
		*c = Responses{Off: !on, Bodies: true, Limit: 64 << 10}
		return
	}
	type section Responses
	n.Decode((*section)(c))
}

// ConfigSchema implements config.Schemer.
func (Responses) ConfigSchema() *config.Schema {
	type section Responses
	return &config.Schema{AnyOf: []*config.Schema{{Type: "boolean"}, config.SchemaOf(section{})}}
}

// Exclusion takes rules, or a target of theirs, out of the inspection.
type Exclusion struct {
	config.At
	Rule   IDs    `yaml:"rule" doc:"the rule's number, or a range of them: 942100-942190"`
	Tag    string `yaml:"tag" doc:"a tag: all rules that have it, such as attack-sqli"`
	Target string `yaml:"target" doc:"what the rules are not to look at: ARGS:comment, REQUEST_COOKIES:session, REQUEST_HEADERS:Referer, or with a pattern ARGS:/^json\\.items/; default: the rules do not hold at all"`
	Path   string `yaml:"path" doc:"where: a path as of a route, below its stage; default: everywhere"`
}

// IDs is a rule's number, or a range of them.
type IDs struct{ First, Last int }

// UnmarshalText reads N or N-M.
func (i *IDs) UnmarshalText(text []byte) error {
	first, last, isRange := strings.Cut(string(text), "-")
	var err error
	if i.First, err = strconv.Atoi(strings.TrimSpace(first)); err != nil {
		return fmt.Errorf("is no number of a rule: write 942100, or 942100-942190")
	}
	i.Last = i.First
	if isRange {
		i.Last, err = strconv.Atoi(strings.TrimSpace(last))
	}
	if err != nil || i.First <= 0 || i.Last < i.First {
		return fmt.Errorf("is no range of rules: write 942100-942190")
	}
	return nil
}

// ConfigSchema implements config.Schemer.
func (IDs) ConfigSchema() *config.Schema {
	return &config.Schema{AnyOf: []*config.Schema{{Type: "integer"}, {Type: "string"}}, Examples: []any{942100, "942100-942190"}}
}

// String returns N or N-M.
func (i IDs) String() string {
	if i.First == i.Last {
		return strconv.Itoa(i.First)
	}
	return fmt.Sprintf("%d-%d", i.First, i.Last)
}

// Check implements config.Checker.
func (e *Exclusion) Check(r *config.Report) {
	if (e.Rule.First == 0) == (e.Tag == "") && !e.Broken("rule") {
		r.Errorf(e.Pos, "an exclusion names either a rule or a tag: {rule: 942100} or {tag: attack-sqli}")
	}
	if e.Target != "" {
		if err := coraza.CheckTarget(e.Target); err != nil {
			r.Errorf(e.Of("target"), "%v", err)
		}
	}
	if e.Path != "" {
		if _, err := parsePath(e.Path); err != nil {
			r.Errorf(e.Of("path"), "%v", err)
		}
	}
}

// Check implements config.Checker.
func (c *Config) Check(r *config.Report) {
	if c.Detect != 0 && c.Detect < c.Paranoia {
		r.Errorf(c.Of("detect"), "detect is below paranoia: rules that block are evaluated, write %d or more, or remove it", c.Paranoia)
	}
	for _, f := range c.Files {
		checkFile(f, r)
	}
	for key, words := range map[string][]string{"methods": c.Methods, "content-types": c.ContentTypes} {
		for _, w := range words {
			if !plainWord(w) {
				r.Errorf(c.Of(key), "%q is none of %s", w, key)
			}
		}
	}
	if c.Responses != nil {
		for _, t := range c.Responses.Types {
			if !plainWord(t) {
				r.Errorf(c.Responses.Of("types"), "%q is no media type", t)
			}
		}
	}
}

// plainWord reports whether a word can stand in a rule as it is.
func plainWord(s string) bool {
	return s != "" && !strings.ContainsFunc(s, func(c rune) bool {
		return c <= ' ' || c > '~' || strings.ContainsRune(`'"\|%,;{}`, c)
	})
}

func (c *Config) methods() []string {
	if len(c.Methods) > 0 {
		return c.Methods
	}
	return []string{"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"}
}

func (c *Config) contentTypes() []string {
	usual := []string{"application/x-www-form-urlencoded", "multipart/form-data", "text/xml", "application/xml", "application/soap+xml", "application/json"}
	for _, t := range c.ContentTypes {
		if t = strings.ToLower(t); !slices.Contains(usual, t) {
			usual = append(usual, t)
		}
	}
	return usual
}

// types are the media types of answers whose bodies are inspected.
func (c *Responses) types() []string {
	if len(c.Types) > 0 {
		return c.Types
	}
	return []string{"text/plain", "text/html", "text/xml", "application/json"}
}

// wanted reports whether answers are inspected at all. A nil c inspects none.
func (c *Responses) wanted() bool { return c != nil && !c.Off }
