// Package coraza evaluates the Core Rule Set with Coraza, behind the seam of
// package inspect. It never writes a file: bodies stay in memory, and the parts
// of multipart bodies are taken apart by the caller, not by Coraza, which would
// put files on disk.
package coraza

import (
	"errors"
	"fmt"
	"io"
	"regexp"
	"runtime"
	"slices"
	"strings"

	"github.com/corazawaf/coraza/v3"
	"github.com/corazawaf/coraza/v3/debuglog"
	"github.com/corazawaf/coraza/v3/experimental"
	"github.com/corazawaf/coraza/v3/types"
	"github.com/corazawaf/coraza/v3/types/variables"

	"gatehouse/waf/crs/inspect"
)

// Source is what an engine is compiled from.
type Source struct {
	Directives string // SecLang; may include @owasp_crs/*.conf, and what lies beside it
	Exclusions []Exclusion
}

// Exclusion takes rules, or one of their targets, out of the inspection of the
// requests that name it.
type Exclusion struct {
	Rules  []int
	Target string // VARIABLE, VARIABLE:KEY or VARIABLE:/REGEXP/; "" for the rules as a whole
}

// Engine implements inspect.Engine.
type Engine struct {
	waf        coraza.WAF
	rules      []inspect.Rule
	exclusions []exclusion
}

type exclusion struct {
	rules    []int
	variable variables.RuleVariable
	key      string
	pattern  *regexp.Regexp
	whole    bool
}

// remover is what Coraza's transactions can do beside their interface.
type remover interface {
	RemoveRuleByID(id int)
	RemoveRuleTargetByID(id int, variable variables.RuleVariable, key string, pattern *regexp.Regexp)
}

// Compile compiles a source. It takes some 100 ms for the first rule set of a
// process and 15 ms for others, which share its patterns.
func Compile(src Source) (*Engine, error) {
	e := &Engine{}
	for i, x := range src.Exclusions {
		compiled, err := compileExclusion(x)
		if err != nil {
			return nil, fmt.Errorf("exclusion %d: %w", i+1, err)
		}
		e.exclusions = append(e.exclusions, compiled)
	}
	conf := coraza.NewWAFConfig().WithRootFS(embedded()).WithDebugLogger(meters{debuglog.Noop()})
	conf = experimental.WAFConfigWithRuleObserver(conf, e.observe)
	waf, err := coraza.NewWAF(conf.WithDirectives(src.Directives))
	if err != nil {
		return nil, tidy(err)
	}
	e.waf = waf
	// Coraza keeps patterns for all rule sets together, by owner.
	if owner, ok := waf.(io.Closer); ok {
		runtime.AddCleanup(e, func(c io.Closer) { _ = c.Close() }, owner)
	}
	return e, nil
}

// observe is told of every rule as it is read. Parts of chains have no ID.
func (e *Engine) observe(r types.RuleMetadata) {
	if r.ID() == 0 {
		return
	}
	e.rules = append(e.rules, inspect.Rule{ID: r.ID(), Tags: slices.Clone(r.Tags()), Phase: int(r.Phase())})
}

// Rules implements inspect.Engine.
func (e *Engine) Rules() []inspect.Rule { return e.rules }

// CheckTarget returns what is wrong with a target of an exclusion.
func CheckTarget(target string) error {
	_, err := compileExclusion(Exclusion{Target: target})
	return err
}

func compileExclusion(x Exclusion) (exclusion, error) {
	out := exclusion{rules: x.Rules}
	if x.Target == "" {
		out.whole = true
		return out, nil
	}
	name, key, _ := strings.Cut(x.Target, ":")
	v, err := variables.Parse(name)
	if err != nil {
		return out, fmt.Errorf("%q is no target of rules: they are written as ARGS, ARGS:NAME, ARGS_NAMES:NAME, REQUEST_COOKIES:NAME, REQUEST_HEADERS:NAME, REQUEST_BODY, or with /REGEXP/ for NAME", x.Target)
	}
	out.variable, out.key = v, key
	if pattern, ok := strings.CutPrefix(key, "/"); ok && strings.HasSuffix(pattern, "/") && len(pattern) > 1 {
		// Keys are compared in lower case.
		if out.pattern, err = regexp.Compile("(?i)" + strings.TrimSuffix(pattern, "/")); err != nil {
			return out, err
		}
		out.key = ""
	}
	return out, nil
}

func (x *exclusion) apply(tx remover) {
	for _, id := range x.rules {
		if x.whole {
			tx.RemoveRuleByID(id)
			continue
		}
		tx.RemoveRuleTargetByID(id, x.variable, x.key, x.pattern)
	}
}

// tidy makes Coraza's errors readable: without its prefixes.
func tidy(err error) error {
	text := err.Error()
	for _, prefix := range []string{"invalid WAF config from string: ", "failed to parse string: "} {
		text = strings.ReplaceAll(text, prefix, "")
	}
	if strings.HasPrefix(text, "filesystem access check") {
		text += ": Coraza wants a folder for temporary files, though none is ever written: set TMPDIR to one that can be written"
	}
	return errors.New(text)
}
