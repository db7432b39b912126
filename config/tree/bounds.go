package tree

import (
	"fmt"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/token"
)

// What one file may cost. The bounds lie far above what anybody writes and
// well below what hurts.
const (
	MaxDepth  = 64        // lists and maps within one another
	maxKeys   = 10_000    // keys of one map in block style, which cost the parser their square
	maxEmpty  = 20_000    // values left out, which cost the parser their square
	maxBlank  = 1_000     // empty lines in a row, which cost the lexer their square in a block of text
	maxMerged = 1_000_000 // keys that merge keys bring in
)

// bounded refuses what would cost the parser too much: it recurses for what
// nests and for every key of a map, and makes room for what is left out.
func bounded(tokens token.Tokens) error {
	var g gauge
	for _, t := range tokens {
		if t.Type == token.InvalidType || t.Type == token.CommentType || t.Position == nil {
			continue
		}
		if message := g.add(t); message != "" {
			return &yaml.SyntaxError{Message: message, Token: t}
		}
	}
	return nil
}

// gauge measures an upper bound of how deep tokens nest, how many keys a map
// has and how many values are left out, from the kinds and places of the
// tokens alone.
type gauge struct {
	flows  []flow  // brackets open
	blocks []block // the columns that block style opened
	run    int     // marks in a row that each nest what follows them
	empty  int
	last   *token.Token
}

type (
	flow  struct{ isMap, key, colon bool }
	block struct{ column, keys int }
)

func (g *gauge) add(t *token.Token) string {
	first := g.last == nil || g.last.Position.Line != t.Position.Line
	begins := first || isMark(t.Type) && t.Type != token.MappingValueType || g.last.Type == token.SequenceEntryType
	if isEmpty(g.last, t, first, g.blocks) {
		g.empty++
	}
	g.run++
	if !isMark(t.Type) {
		g.run = 0
	}
	if len(g.flows) > 0 || isFlowStart(t.Type) {
		g.flow(t)
	} else if begins {
		g.block(t, first)
	}
	g.last = t
	return g.message()
}

func (g *gauge) message() string {
	switch n := len(g.blocks); {
	case len(g.flows)+n > MaxDepth || g.run > MaxDepth:
		return fmt.Sprintf("lists and maps nest deeper than %d", MaxDepth)
	case n > 0 && g.blocks[n-1].keys > maxKeys:
		return fmt.Sprintf("a map of more than %d keys", maxKeys)
	case g.empty > maxEmpty:
		return fmt.Sprintf("more than %d keys and items without a value", maxEmpty)
	}
	return ""
}

// isMark reports whether a token belongs to the value after it.
func isMark(t token.Type) bool {
	switch t {
	case token.SequenceEntryType, token.MappingKeyType, token.TagType, token.AnchorType, token.MappingValueType:
		return true
	}
	return false
}

func isFlowStart(t token.Type) bool {
	return t == token.MappingStartType || t == token.SequenceStartType
}

func isFlowEnd(t token.Type) bool {
	return t == token.MappingEndType || t == token.SequenceEndType || t == token.CollectEntryType
}

// isEmpty reports whether last wanted a value that t is not.
func isEmpty(last, t *token.Token, first bool, blocks []block) bool {
	switch {
	case last == nil || !isMark(last.Type):
		return false
	case isFlowEnd(t.Type):
		return true
	}
	return first && len(blocks) > 0 && t.Position.Column <= blocks[len(blocks)-1].column
}

// flow follows brackets. A key of a map may stand without colon and value.
func (g *gauge) flow(t *token.Token) {
	top := &flow{}
	if n := len(g.flows); n > 0 {
		top = &g.flows[n-1]
	}
	switch {
	case isFlowEnd(t.Type):
		if top.isMap && top.key && !top.colon {
			g.empty++
		}
		top.key, top.colon = false, false
		if t.Type != token.CollectEntryType {
			g.flows = g.flows[:len(g.flows)-1]
		}
	case isFlowStart(t.Type):
		g.flows = append(g.flows, flow{isMap: t.Type == token.MappingStartType})
	case t.Type == token.MappingValueType:
		top.colon = true
	default:
		top.key = true
	}
}

// block notes that something begins at t.
func (g *gauge) block(t *token.Token, first bool) {
	column := t.Position.Column
	for n := len(g.blocks); first && n > 0 && g.blocks[n-1].column > column; n-- {
		g.blocks = g.blocks[:n-1]
	}
	if n := len(g.blocks); n == 0 || g.blocks[n-1].column != column {
		g.blocks = append(g.blocks, block{column: column})
	}
	if t.Type != token.SequenceEntryType {
		g.blocks[len(g.blocks)-1].keys++
	}
}
