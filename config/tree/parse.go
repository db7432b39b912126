package tree

import (
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/lexer"
	"github.com/goccy/go-yaml/parser"
)

// Parse returns the only document of the file; a Null where it is empty; nil
// where there is none, which report then says. Report may also be called for
// problems that leave a document.
func (f *File) Parse(report func(Problem)) *Value {
	if p, ok := f.readable(); !ok {
		report(p)
		return nil
	}
	parsed, err := parseText(strings.Join(f.lines, "\n"))
	if err != nil {
		f.broken = true
		report(f.syntaxError(err))
		return nil
	}
	b := &builder{file: f, report: report, anchors: make(map[string]*Value)}
	return b.document(parsed)
}

// parseText turns a panic of the parser into an error: no file is worth the
// gateway.
func parseText(text string) (file *ast.File, err error) {
	defer func() {
		if recover() != nil {
			file, err = nil, errors.New("this is not YAML")
		}
	}()
	tokens := lexer.Tokenize(text)
	if err := bounded(tokens); err != nil {
		return nil, err
	}
	return parser.Parse(tokens, 0, parser.AllowDuplicateMapKey())
}

// document returns the file's document. Directives stand in documents of
// their own.
func (b *builder) document(file *ast.File) *Value {
	var root *Value
	for _, doc := range file.Docs {
		switch doc.Body.(type) {
		case nil, *ast.DirectiveNode, *ast.CommentGroupNode:
			continue
		}
		if root != nil {
			b.errorf(b.pos(doc.Start), "put it into a file of its own, and include that", "a configuration is one document; here a second one begins")
			break
		}
		root = b.build(doc.Body)
	}
	if root == nil {
		root = &Value{Kind: Null, Pos: Pos{b.file.Name, 1, 1}, File: b.file}
	}
	return root
}

func (f *File) syntaxError(err error) Problem {
	p := Problem{Pos: Pos{f.Name, 1, 1}}
	if syntax, ok := errors.AsType[yaml.Error](err); !ok {
		p.Message = err.Error()
	} else {
		p.Message = syntax.GetMessage() // Error prints the text around it, at length
		if t := syntax.GetToken(); t != nil && t.Position != nil {
			p.Pos = f.clamp(t.Position.Line, t.Position.Column)
		}
	}
	switch line := f.lines[p.Pos.Line-1]; {
	case strings.Contains(p.Message, "'\t'"):
		p.Message, p.Hint = "a tab cannot indent", "indent with spaces"
	case strings.Contains(line, "${") && strings.ContainsAny(line, "{["):
		p.Hint = `inside {...} and [...] a reference wants quotes: "${env:NAME}"`
	}
	p.Message = "broken YAML: " + p.Message
	return p
}

// readable reports whether the file is text that YAML may consist of.
func (f *File) readable() (Problem, bool) {
	blank := 0
	for i, line := range f.lines {
		if blank++; strings.TrimSpace(line) != "" {
			blank = 0
		}
		if blank > maxBlank {
			return Problem{Pos: Pos{f.Name, i + 1, 1}, Message: fmt.Sprintf("more than %d empty lines in a row", maxBlank)}, false
		}
		column := 0
		for j, r := range line {
			column++
			at := Pos{f.Name, i + 1, column}
			switch {
			case r == utf8.RuneError && !strings.HasPrefix(line[j:], string(utf8.RuneError)):
				return Problem{Pos: at, Message: "this is not UTF-8"}, false
			case r < ' ' && r != '\t' || r == 0x7f:
				return Problem{Pos: at, Message: fmt.Sprintf("the character %U cannot stand in YAML", r)}, false
			}
		}
	}
	return Problem{}, true
}
