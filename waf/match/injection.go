package match

import (
	"regexp"
	"strings"
	"sync"

	"github.com/corazawaf/libinjection-go"

	"gatehouse/config"
	"gatehouse/waf/text"
)

// SQLi finds SQL that a service could be made to run.
type SQLi struct{ High bool }

// XSS finds scripts that a page could be made to run.
type XSS struct{}

func (t *SQLi) compile(*Compiler, config.Pos) tester { return t }

func (t *SQLi) what() string { return "sqli" }

// test asks libinjection about the text as it stands. With high sensitivity also
// about what is left of it without percent encoding and comments, and it looks for
// statements that libinjection lets pass, being common in prose.
func (t *SQLi) test(s string) (at, n int, ok bool) {
	if isSQLi(s) {
		return 0, 0, true
	}
	if !t.High {
		return 0, 0, false
	}
	plain := text.Chain{text.URLDecodeUni, text.ReplaceComments, text.CompressWhiteSpace}.Apply(s)
	if plain != s && isSQLi(plain) {
		return 0, 0, true
	}
	for _, p := range suspicious() {
		if loc := p.FindStringIndex(plain); loc != nil {
			if plain == s {
				return loc[0], loc[1] - loc[0], true
			}
			return 0, 0, true
		}
	}
	return 0, 0, false
}

// minInjection is the length below which no text can be an injection.
const minInjection = 3

func isSQLi(s string) bool {
	if len(s) < minInjection {
		return false
	}
	if found, _ := libinjection.IsSQLi(s); found {
		return true
	}
	return isPart(s, func(s string) bool {
		found, _ := libinjection.IsSQLi(s)
		return found
	})
}

// maxPairs is how many values of a form are looked at by themselves.
const maxPairs = 256

// isPart reports whether f finds something in the value of a form or a query: what
// stands around it would hide it.
func isPart(s string, f func(string) bool) bool {
	if strings.IndexByte(s, '=') < 0 {
		return false
	}
	n := 0
	for pair := range strings.SplitSeq(s, "&") {
		if n++; n > maxPairs {
			return false
		}
		if _, value, ok := strings.Cut(pair, "="); ok && len(value) >= minInjection && f(value) {
			return true
		}
	}
	return false
}

// suspicious are what high sensitivity looks for besides.
var suspicious = sync.OnceValue(func() []*regexp.Regexp {
	return []*regexp.Regexp{
		regexp.MustCompile(`(?i)\bunion\s+(all\s+|distinct\s+)?select\b`),
		regexp.MustCompile(`(?i)\bselect\b.{1,200}\bfrom\s+(information_schema|mysql|pg_catalog|sysobjects|syscolumns|sqlite_master|all_tables|dual)\b`),
		regexp.MustCompile(`(?i);\s*(insert\s+into|update\s+\S+\s+set|delete\s+from|select\s+\S+\s+from|(drop|alter|create|truncate)\s+(table|database|view|user|index|procedure|function)|exec(ute)?\s+\S|declare\s+@|shutdown\b)`),
		regexp.MustCompile(`(?i)\b(sleep|benchmark|pg_sleep|dbms_pipe\.receive_message|load_file|extractvalue|updatexml|xp_cmdshell)\s*\(`),
		regexp.MustCompile(`(?i)\bwaitfor\s+(delay|time)\b`),
		regexp.MustCompile(`(?i)\binto\s+(out|dump)file\b`),
		regexp.MustCompile(`(?i)['"\x60)\d]\s*(\|\||&&|\bor\b|\band\b|\bxor\b)\s*\(*\s*['"\x60]?\w+['"\x60]?\s*(=|<|>|!=|<>|\blike\b|\brlike\b|\bregexp\b|\bin\b|\bbetween\b|\bis\b)`),
		regexp.MustCompile(`(?i)['"\x60]\s*(--[\s\x00]?$|#\s*$|/\*)`),
		regexp.MustCompile(`(?i)\b(order|group)\s+by\s+\d+(\s*,\s*\d+)*\s*(--|#|/\*|$)`),
		regexp.MustCompile(`(?i)@@(version|hostname|datadir|servername)\b`),
	}
})

func (t XSS) compile(*Compiler, config.Pos) tester { return t }

func (t XSS) what() string { return "xss" }

func (t XSS) test(s string) (at, n int, ok bool) {
	return 0, 0, len(s) >= minInjection && (libinjection.IsXSS(s) || isPart(s, libinjection.IsXSS))
}
