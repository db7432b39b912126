package nginx

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// Directive is one of the configuration's, with what is in its block.
type Directive struct {
	Name  string
	Args  []string
	Block []*Directive // of those with a block
	block bool
	File  string
	Line  int
}

// Bounds of what is read: a configuration is the operator's own, but an include
// may lead anywhere.
const (
	maxFile       = 16 << 20
	maxFiles      = 2000
	maxDepth      = 64
	maxDirectives = 500_000
)

// Files are how a configuration and its includes are read.
type Files struct {
	Read func(name string) ([]byte, error)
	Glob func(pattern string) ([]string, error)
}

// Disk reads from the disk.
func Disk() Files { return Files{readFile, filepath.Glob} }

func readFile(name string) ([]byte, error) {
	info, err := os.Stat(name)
	switch {
	case err != nil:
		return nil, err
	case !info.Mode().IsRegular():
		return nil, fmt.Errorf("%s is no file", name)
	case info.Size() > maxFile:
		return nil, fmt.Errorf("%s has %d bytes, more than %d", name, info.Size(), maxFile)
	}
	return os.ReadFile(name)
}

// Parse reads a configuration and what it includes. What an include names and is
// not there is left, and told: a configuration is often read elsewhere than where
// it runs. The error is a *SyntaxError, or that the file cannot be read.
func Parse(name string, files Files) (all []*Directive, missing []*Directive, err error) {
	p := &parser{files: files, prefix: filepath.Dir(name)}
	text, err := files.Read(name)
	if err != nil {
		return nil, nil, err
	}
	all, err = p.file(name, text, 0)
	return all, p.missing, err
}

type parser struct {
	files   Files
	prefix  string // that includes start from
	read    int
	count   int
	missing []*Directive
}

func (p *parser) file(name string, text []byte, depth int) ([]*Directive, error) {
	if p.read++; p.read > maxFiles {
		return nil, &SyntaxError{name, 1, fmt.Sprintf("more than %d files are included", maxFiles)}
	}
	l := &lexer{file: name, text: strings.TrimPrefix(string(text), "\ufeff"), line: 1}
	return p.block(l, depth, false)
}

// block reads directives up to the end of the file, or of the block.
func (p *parser) block(l *lexer, depth int, inner bool) ([]*Directive, error) {
	if depth > maxDepth {
		return nil, l.errorf(l.line, "blocks and includes in more than %d levels", maxDepth)
	}
	var all []*Directive
	began := l.line
	for {
		d, end, err := p.directive(l, depth)
		switch {
		case err != nil:
			return nil, err
		case d == nil && end == '}' && !inner:
			return nil, l.errorf(l.line, `unexpected "}"`)
		case d == nil && end == 0 && inner:
			return nil, l.errorf(began, "a block is not closed")
		case d == nil:
			return all, nil
		}
		if d.Name != "include" || d.block {
			all = append(all, d)
			continue
		}
		included, err := p.include(d, depth)
		if err != nil {
			return nil, err
		}
		all = append(all, included...)
	}
}

// directive reads one; without one, end says what came instead.
func (p *parser) directive(l *lexer, depth int) (d *Directive, end byte, err error) {
	for {
		t, more, err := l.next()
		switch {
		case err != nil:
			return nil, 0, err
		case !more && d != nil:
			return nil, 0, l.errorf(d.Line, "%s is not ended by ;", d.Name)
		case !more:
			return nil, 0, nil
		case t.end == 0 && d == nil:
			if p.count++; p.count > maxDirectives {
				return nil, 0, l.errorf(t.line, "more than %d directives", maxDirectives)
			}
			d = &Directive{Name: t.text, File: l.file, Line: t.line}
		case t.end == 0:
			d.Args = append(d.Args, t.text)
		case t.end == '}' && d == nil:
			return nil, '}', nil
		case d == nil || t.end == '}':
			return nil, 0, l.errorf(t.line, "unexpected %q", t.end)
		case t.end == ';':
			return d, 0, nil
		default:
			d.block = true
			if strings.HasSuffix(d.Name, "_by_lua_block") {
				return d, 0, l.raw()
			}
			d.Block, err = p.block(l, depth+1, true)
			return d, 0, err
		}
	}
}

func (p *parser) include(d *Directive, depth int) ([]*Directive, error) {
	if len(d.Args) != 1 {
		return nil, &SyntaxError{d.File, d.Line, "include takes one pattern"}
	}
	pattern := d.Args[0]
	if !filepath.IsAbs(pattern) {
		pattern = filepath.Join(p.prefix, pattern)
	}
	names, err := p.files.Glob(pattern)
	if err != nil {
		return nil, &SyntaxError{d.File, d.Line, fmt.Sprintf("include: %v", err)}
	}
	if len(names) == 0 && !strings.ContainsAny(pattern, "*?[") {
		p.missing = append(p.missing, d)
	}
	var all []*Directive
	for _, name := range names {
		text, err := p.files.Read(name)
		if errors.Is(err, fs.ErrNotExist) || errors.Is(err, fs.ErrPermission) {
			p.missing = append(p.missing, d)
			continue
		}
		if err != nil {
			return nil, &SyntaxError{d.File, d.Line, fmt.Sprintf("include: %v", err)}
		}
		included, err := p.file(name, text, depth+1)
		if err != nil {
			return nil, err
		}
		all = append(all, included...)
	}
	return all, nil
}
